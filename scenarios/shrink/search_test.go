package shrink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/ddmin"
	"github.com/respawn-go/respawn/scenarios"
)

const kill = "{signal: KILL}"

// storm is a hundred kills, one every 50 ms, of eight slots in turn, while they write.
func storm() Candidate {
	c := Candidate{Size: 8, Concurrency: 16, Settle: 10 * time.Second}
	for i := range 100 {
		c.Strikes = append(c.Strikes,
			scenarios.Strike{At: time.Duration(i) * 50 * time.Millisecond, Fault: kill, Slot: i % 8, Phase: "writing"})
	}
	return c
}

// faulty is a pool that is not there: a bug, and how often of ten times it shows.
type faulty struct {
	mu    sync.Mutex
	bug   func(Candidate) bool
	often int
	rng   *rand.Rand
	runs  int
}

func (f *faulty) oracle(_ context.Context, c Candidate) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs++
	return f.bug(c) && f.rng.IntN(10) < f.often, nil
}

// killed tells whether a slot is killed, while it writes.
func killed(c Candidate, slot int) bool {
	return slices.ContainsFunc(c.Strikes, func(s scenarios.Strike) bool {
		return s.Slot == slot && s.Fault == kill && s.Phase == "writing"
	})
}

// soonAfter tells whether a is struck and b within so much time after it.
func soonAfter(c Candidate, a, b int, within time.Duration) bool {
	for _, one := range c.Strikes {
		for _, two := range c.Strikes {
			if after := two.At - one.At; one.Slot == a && two.Slot == b && after > 0 && after <= within {
				return true
			}
		}
	}
	return false
}

func TestTheSmallestExperimentIsFoundAndSaid(t *testing.T) {
	for _, c := range []struct {
		name  string
		bug   func(Candidate) bool
		often int
		want  string
	}{
		{
			"a kill", func(c Candidate) bool { return killed(c, 3) }, 10,
			"1 of 100 kills suffices: slot 3 while it writes; fails 10 of 10",
		},
		{
			"any kill", func(c Candidate) bool { return len(c.Strikes) > 0 }, 10,
			"1 of 100 kills suffices: a pause of slot 0 for 50ms; fails 10 of 10",
		},
		{
			"two", func(c Candidate) bool { return killed(c, 3) && killed(c, 6) }, 10,
			"2 of 100 kills suffice: slot 3 while it writes, then slot 6 while it writes; fails 10 of 10",
		},
		{
			"two of which the second is soon",
			func(c Candidate) bool { return c.Size == 8 && soonAfter(c, 3, 5, 100*time.Millisecond) }, 10,
			"2 of 100 kills suffice: a pause of slot 3 for 50ms, then a pause of slot 5 for 50ms within 100ms; " +
				"fails 10 of 10",
		},
		{
			"three", func(c Candidate) bool { return killed(c, 0) && killed(c, 4) && killed(c, 7) }, 10,
			"3 of 100 kills suffice: slot 4 while it writes, then slot 7 while it writes, then slot 0 while it " +
				"writes; fails 10 of 10",
		},
		{"nothing", func(Candidate) bool { return true }, 10, "none of 100 kills is needed; fails 10 of 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			f := &faulty{bug: c.bug, often: c.often, rng: rand.New(rand.NewPCG(1, 1))}
			s := &Search{
				Start: storm(), Oracle: f.oracle, Vote: ddmin.Vote{Runs: 3, Need: 2}, Runs: 10, Jobs: 1 + rand.IntN(3),
			}
			found, err := s.Do(t.Context(), t.Context())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found.Done).To(BeTrue())
			g.Expect(found.Sentence(s.Start)).To(Equal(c.want))
			g.Expect(f.runs).To(BeNumerically("<", 150), "runs")
		})
	}
}

// The load is halved, and the target made smaller, as far as it still fails.
func TestLoadAndSizeShrinkToo(t *testing.T) {
	g := NewWithT(t)
	f := &faulty{
		bug: func(c Candidate) bool { return len(c.Strikes) > 0 && c.Concurrency >= 3 && c.Size >= 2 }, often: 10,
		rng: rand.New(rand.NewPCG(1, 1)),
	}
	s := &Search{Start: storm(), Oracle: f.oracle, Vote: ddmin.Vote{Runs: 1, Need: 1}}
	found, err := s.Do(t.Context(), t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Best.Concurrency).To(Equal(4))
	g.Expect(found.Best.Size).To(Equal(2))
	g.Expect(found.Best.NoWarmup).To(BeTrue())
	g.Expect(found.Best.Settle).To(Equal(quickSettle))
}

// A bug that shows two times in ten is still found, by more runs.
func TestWhatFailsSeldomIsRunMoreOften(t *testing.T) {
	small, seeds := 0, 20
	for seed := range uint64(seeds) {
		f := &faulty{bug: func(c Candidate) bool { return killed(c, 3) }, often: 2, rng: rand.New(rand.NewPCG(seed, 7))}
		s := &Search{Start: storm(), Oracle: f.oracle, Vote: ddmin.Vote{Runs: 3, Need: 2}}
		found, err := s.Do(t.Context(), t.Context())
		if errors.Is(err, ErrNotReproduced) {
			continue
		}
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(killed(found.Best, 3)).To(BeTrue(), "what is left can fail")
		if len(found.Best.Strikes) <= 2 {
			small++
		}
	}
	NewWithT(t).Expect(small).To(BeNumerically(">=", seeds*6/10))
}

func TestAPlanThatDoesNotFailAgainIsNotSearched(t *testing.T) {
	g := NewWithT(t)
	f := &faulty{bug: func(Candidate) bool { return false }, rng: rand.New(rand.NewPCG(1, 1))}
	_, err := (&Search{Start: storm(), Oracle: f.oracle, Vote: ddmin.Vote{Runs: 3, Need: 2}}).Do(t.Context(),
		t.Context())
	g.Expect(err).To(MatchError(ErrNotReproduced))
	g.Expect(f.runs).To(Equal(mostTries))
}

// A search that is stopped gives the best so far; another one with its answers makes none of its runs again, and both
// together no more than one that was not stopped.
func TestASearchGoesOnWhereItWasStopped(t *testing.T) {
	bug := func(c Candidate) bool { return killed(c, 3) && killed(c, 6) }
	search := func(ctx context.Context, f *faulty, a Answers) (Found, *Search) {
		s := &Search{Start: storm(), Oracle: f.oracle, Vote: ddmin.Vote{Runs: 3, Need: 2}, Runs: 10, Answers: a}
		found, err := s.Do(ctx, ctx)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return found, s
	}
	whole := &faulty{bug: bug, often: 10, rng: rand.New(rand.NewPCG(1, 1))}
	want, _ := search(t.Context(), whole, nil)
	for stop := 3; stop < whole.runs-10; stop += 9 {
		t.Run(fmt.Sprint(stop), func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithCancel(t.Context())
			first := &faulty{often: 10, rng: rand.New(rand.NewPCG(1, 1))}
			first.bug = func(c Candidate) bool {
				if first.runs == stop {
					cancel()
				}
				return bug(c)
			}
			found, s := search(ctx, first, nil)
			g.Expect(found.Done).To(BeFalse())
			g.Expect(bug(found.Best)).To(BeTrue(), "the best so far fails")
			second := &faulty{bug: bug, often: 10, rng: rand.New(rand.NewPCG(1, 1))}
			got, _ := search(t.Context(), second, s.Answers)
			g.Expect(got).To(Equal(want))
			g.Expect(first.runs + second.runs).To(Equal(whole.runs))
		})
	}
}

// An oracle that breaks ends the search, with what there is.
func TestAnOracleThatBreaksEndsTheSearch(t *testing.T) {
	g, broken, runs := NewWithT(t), errors.New("no such program"), 0
	s := &Search{Start: storm(), Vote: ddmin.Vote{
		Runs: 1, Need: 1,
	}, Oracle: func(_ context.Context, c Candidate) (bool, error) {
		if runs++; runs > 6 {
			return false, broken
		}
		return killed(c, 3), nil
	}}
	found, err := s.Do(t.Context(), t.Context())
	g.Expect(err).To(MatchError(broken))
	g.Expect(killed(found.Best, 3)).To(BeTrue())
}

// What fails once of three times is not taken for what fails each time.
func TestAPartThatFailsTooSeldomIsNotKept(t *testing.T) {
	g, asked := NewWithT(t), map[string]int{}
	s := &Search{Start: storm(), Vote: ddmin.Vote{
		Runs: 3, Need: 2,
	}, Oracle: func(_ context.Context, c Candidate) (bool, error) {
		asked[c.key()]++
		return killed(c, 3) || asked[c.key()] == 1, nil
	}}
	found, err := s.Do(t.Context(), t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(killed(found.Best, 3)).To(BeTrue())
}

// What cannot be run is neither taken nor called one that does not fail; the search goes on, and says so. When nothing
// can be run it ends.
func TestACandidateThatCannotBeRunIsPassedOver(t *testing.T) {
	g := NewWithT(t)
	f := &faulty{bug: func(c Candidate) bool { return killed(c, 3) }, often: 10, rng: rand.New(rand.NewPCG(1, 1))}
	broken := func(ctx context.Context, c Candidate) (bool, error) {
		if len(c.Strikes) == 1 || len(c.Strikes) == 0 {
			return false, fmt.Errorf("it broke: %w", &UndecidedError{Cause: "no room"})
		}
		return f.oracle(ctx, c)
	}
	s := &Search{Start: storm(), Oracle: broken, Vote: ddmin.Vote{Runs: 3, Need: 2}, Runs: 10}
	found, err := s.Do(t.Context(), t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Best.Strikes).To(HaveLen(2))
	g.Expect(found.Failed).To(Equal(found.Runs))
	g.Expect(found.Done).To(BeFalse(), "one may suffice")
	g.Expect(found.Undecided).To(BeNumerically(">=", 3))
	g.Expect(found.Why).To(Equal("no room"))
	for key, letters := range s.Answers {
		g.Expect(letters).NotTo(BeEmpty(), key)
	}

	asked := 0
	s = &Search{Start: storm(), Vote: ddmin.Vote{
		Runs: 3, Need: 2,
	}, Runs: 10, Oracle: func(_ context.Context, c Candidate) (bool, error) {
		if len(c.Strikes) == 100 && c.Settle == storm().Settle {
			return true, nil
		}
		asked++
		return false, &UndecidedError{Cause: "no room"}
	}}
	_, err = s.Do(t.Context(), t.Context())
	g.Expect(err).To(MatchError("no run of it can be had: no room"))
	g.Expect(asked).To(Equal(mostUndecided))
}
