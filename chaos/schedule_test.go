package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 0)) }

func TestSchedules(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		when  When
		text  string
		times []time.Duration
	}{
		{When{}, "once", []time.Duration{0}},
		{When{After: 5 * ms}, "once after 5ms", []time.Duration{5 * ms}},
		{When{Every: 10 * ms, For: 30 * ms}, "every 10ms for 30ms", []time.Duration{0, 10 * ms, 20 * ms}},
		{When{Every: 10 * ms, Times: 2, After: ms}, "every 10ms after 1ms 2 times", []time.Duration{ms, 11 * ms}},
		{
			When{Every: 10 * ms, For: 25 * ms, Times: 9},
			"every 10ms for 25ms 9 times",
			[]time.Duration{0, 10 * ms, 20 * ms},
		},
		{When{Sequence: []time.Duration{7 * ms, 3 * ms}}, "at 7ms 3ms", []time.Duration{3 * ms, 7 * ms}},
	} {
		g := gomega.NewWithT(t)
		g.Expect(c.when.Validate()).To(gomega.Succeed(), c.text)
		g.Expect(c.when.String()).To(gomega.Equal(c.text))
		g.Expect(c.when.times(seeded(1))).To(gomega.Equal(c.times), c.text)
	}
}

func TestJitterStaysWithinItsBounds(t *testing.T) {
	g := gomega.NewWithT(t)
	w := When{Every: 100 * time.Millisecond, Jitter: 0.2, Times: 1000}
	times := w.times(seeded(3))
	g.Expect(times).To(gomega.HaveLen(1000))
	varied := false
	for i := 1; i < len(times); i++ {
		pause := times[i] - times[i-1]
		g.Expect(pause).To(gomega.And(gomega.BeNumerically(">=", 80*time.Millisecond),
			gomega.BeNumerically("<=", 120*time.Millisecond)))
		varied = varied || pause != 100*time.Millisecond
	}
	g.Expect(varied).To(gomega.BeTrue())
	g.Expect(w.times(seeded(3))).To(gomega.Equal(times))
	g.Expect(w.times(seeded(4))).NotTo(gomega.Equal(times))
}

// A thousand arrivals at 10/s take 100 s, give or take four standard deviations of 3.2 s.
func TestPoissonHasItsRate(t *testing.T) {
	g := gomega.NewWithT(t)
	times := When{Poisson: 10, Times: 1000}.times(seeded(5))
	g.Expect(times).To(gomega.HaveLen(1000))
	g.Expect(times[999]).To(gomega.BeNumerically("~", 100*time.Second, 13*time.Second))
}

func TestScheduleMistakesAreNamed(t *testing.T) {
	for text, w := range map[string]When{
		"more than one of every, poisson and sequence": {Every: 1, Poisson: 1, For: 1},
		"a negative number":                            {After: -1},
		"jitter 150%":                                  {Every: 1, Jitter: 1.5, For: 1},
		"jitter needs every":                           {Jitter: 0.1},
		"set for or times":                             {Every: time.Second},
		"for needs every or poisson":                   {For: time.Second},
		"a negative time in the sequence":              {Sequence: []time.Duration{-1}},
		"3600000000000 injections are planned: want at most 1000000": {Every: 1, For: time.Hour},
		"2000001 injections":           {Every: time.Second, Times: 2_000_001},
		"1500000 injections":           {Poisson: 1, Times: 500_000, Burst: 3},
		"300000000 injections":         {Burst: 300_000_000},
		"1000002 injections":           {Sequence: make([]time.Duration, 3), Burst: 333_334},
		"times needs every or poisson": {Burst: 2, Times: 4},
		"a sequence without a time":    {Sequence: []time.Duration{}},
	} {
		gomega.NewWithT(t).Expect(w.Validate()).To(gomega.MatchError(gomega.ContainSubstring(text)))
	}
}

// Schedules that are in bounds one by one must be so together.
func TestAPlanIsBounded(t *testing.T) {
	n := Nemesis{Fault: stub("exit 1"), When: When{Burst: MaxShots/2 + 1}}
	g := gomega.NewWithT(t)
	g.Expect(n.Validate()).To(gomega.Succeed())
	g.Expect((&Run{Chaos: []Nemesis{n, n}}).Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("plans 1000002 injections: want at most 1000000")))
}

// Several lists side by side have plans of their own, which depend on nothing but the seed.
func TestPlanIsRepeatable(t *testing.T) {
	g := gomega.NewWithT(t)
	mix := Mixed{{Weight: 3, Fault: stub("signal KILL")}, {Fault: stub("pause 1s")}}
	list := []Nemesis{
		{Fault: mix, When: When{Every: 10 * time.Millisecond, Jitter: 0.5, Times: 400}},
		{Fault: stub("exit 1"), When: When{Poisson: 5, Times: 3, Burst: 2}},
	}
	plan := Plan(9, list)
	g.Expect(Plan(9, list)).To(gomega.Equal(plan))
	g.Expect(Plan(10, list)).NotTo(gomega.Equal(plan))
	g.Expect(Plan(9, list[:1])).To(gomega.Equal(plan[:400]), "the first list does not depend on the second")
	count := map[string]int{}
	for _, s := range plan {
		count[s.Fault.String()]++
	}
	g.Expect(count).To(gomega.HaveLen(3))
	g.Expect(count["exit 1"]).To(gomega.Equal(6))
	g.Expect(count["signal KILL"]).To(gomega.BeNumerically("~", 300, 40))
	g.Expect(plan[400].At).To(gomega.Equal(plan[401].At), "a burst is at once")
	g.Expect(plan[400].Draw).To(gomega.Equal(plan[401].Draw), "in one order")
	g.Expect([]int{plan[400].Place, plan[401].Place}).To(gomega.Equal([]int{0, 1}), "of which each has its own part")
}

// stub is a fault for plans, which are made without injecting it.
type stub string

func (s stub) String() string { return string(s) }
func (stub) Validate() error  { return nil }
func (stub) Traits() Traits   { return Traits{} }
func (stub) Begin() Injection { return unresolved{} }
