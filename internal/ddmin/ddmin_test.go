package ddmin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
)

// upTo is the numbers below n.
func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// has tells whether the part has all of the cause.
func has(part, cause []int) bool {
	return !slices.ContainsFunc(cause, func(c int) bool { return !slices.Contains(part, c) })
}

func TestTheCauseIsFoundWhateverItIs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 150; n += 7 {
		for size := 0; size <= min(4, n); size++ {
			t.Run(fmt.Sprintf("%d of %d", size, n), func(t *testing.T) {
				g := NewWithT(t)
				cause, asked := rng.Perm(n)[:size], map[string]bool{}
				slices.Sort(cause)
				part, err := Min(upTo(n), func(part []int) (bool, error) {
					g.Expect(slices.IsSorted(part)).To(BeTrue())
					g.Expect(asked).NotTo(HaveKey(fmt.Sprint(part)), "asked twice")
					asked[fmt.Sprint(part)] = true
					return has(part, cause), nil
				})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(part).To(HaveExactElements(cause))
				g.Expect(len(asked)).To(BeNumerically("<=", 1+n+20*size*8), "questions")
			})
		}
	}
}

// Two things that do the same: either is an answer, and not both.
func TestOneOfTwoCausesIsLeft(t *testing.T) {
	g := NewWithT(t)
	part, err := Min(upTo(100), func(part []int) (bool, error) {
		return slices.Contains(part, 17) || slices.Contains(part, 71), nil
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(part).To(Or(HaveExactElements(17), HaveExactElements(71)))
}

// A race fails seven times in ten: asked three times, and kept if it failed once, the search still ends at the cause.
func TestANoisyOracleIsOutvoted(t *testing.T) {
	found := 0
	for seed := range uint64(100) {
		rng, cause := rand.New(rand.NewPCG(seed, 0)), []int{11, 60}
		part, err := Min(upTo(100), func(part []int) (bool, error) {
			yes, _, err := Vote{Runs: 4, Need: 1}.Ask(t.Context(), 1,
				func(context.Context) (bool, error) { return has(part, cause) && rng.IntN(10) < 7, nil })
			return yes >= 1, err
		})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(has(part, cause)).To(BeTrue(), "what is left fails: %v", part)
		if len(part) == len(cause) {
			found++
		}
	}
	NewWithT(t).Expect(found).To(BeNumerically(">=", 90), "of 100 seeds")
}

func TestAnErrorGivesTheSmallestSoFar(t *testing.T) {
	g, late, asked := NewWithT(t), errors.New("no time left"), 0
	part, err := Min(upTo(64), func(part []int) (bool, error) {
		if asked++; asked > 5 {
			return false, late
		}
		return slices.Contains(part, 3), nil
	})
	g.Expect(err).To(MatchError(late))
	g.Expect(part).To(ContainElement(3))
	g.Expect(len(part)).To(BeNumerically("<", 64))
}

func TestAVoteEndsOnceItIsDecided(t *testing.T) {
	for _, c := range []struct {
		Vote
		answers    string
		yes, asked int
	}{
		{Vote{3, 2}, "yy", 2, 2},
		{Vote{3, 2}, "nn", 0, 2},
		{Vote{3, 2}, "yny", 2, 3},
		{Vote{5, 1}, "nnny", 1, 4},
		{Vote{5, 5}, "n", 0, 1},
		{Vote{1, 1}, "n", 0, 1},
	} {
		t.Run(fmt.Sprintf("%d of %d, %s", c.Need, c.Runs, c.answers), func(t *testing.T) {
			g, at := NewWithT(t), 0
			yes, asked, err := c.Ask(t.Context(), 1,
				func(context.Context) (bool, error) { at++; return c.answers[at-1] == 'y', nil })
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]int{yes, asked}).To(HaveExactElements(c.yes, c.asked))
		})
	}
}

// Two are asked at once and no more, and when one decides the other is told, waited for, and does not count.
func TestAVoteIsTakenSideBySide(t *testing.T) {
	for _, c := range []struct {
		name       string
		vote       Vote
		first      bool // what the first of two answers
		yes, asked int
		told       bool // the second is, before it has answered
	}{
		{"decided by a yes", Vote{Runs: 3, Need: 1}, true, 1, 1, true},
		{"decided by a no", Vote{Runs: 2, Need: 2}, false, 0, 1, true},
		{"decided by both", Vote{Runs: 2, Need: 1}, false, 0, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			var asking, begun atomic.Int32
			var told, more atomic.Bool
			both := make(chan struct{})
			yes, asked, err := c.vote.Ask(t.Context(), 2, func(ctx context.Context) (bool, error) {
				if asking.Add(1) > 2 {
					more.Store(true)
				}
				defer asking.Add(-1)
				if begun.Add(1) == 1 {
					<-both // red, as it hangs, where one is asked at a time
					return c.first, nil
				}
				close(both)
				if !c.told {
					return false, nil
				}
				<-ctx.Done()
				told.Store(true)
				return false, ctx.Err()
			})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]int{yes, asked}).To(Equal([]int{c.yes, c.asked}))
			g.Expect(told.Load()).To(Equal(c.told))
			g.Expect(asking.Load()).To(BeZero())
			g.Expect(begun.Load()).To(BeEquivalentTo(2))
			g.Expect(more.Load()).To(BeFalse(), "more than two at once")
		})
	}
}
