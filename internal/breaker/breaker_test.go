package breaker

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

var (
	policy   = Policy{Base: 100 * time.Millisecond, Max: time.Second, Threshold: 3, HalfLife: 10 * time.Second}
	start    = time.Unix(1000, 0)
	errSeats = errors.New("no seats left")
)

func TestItOpensByARateOrByARowAndNotByWhatSaysNothing(t *testing.T) {
	type step struct {
		after time.Duration
		f     Failure
		opens bool
	}
	own, alone := Failure{Cause: errSeats}, Failure{Cause: errSeats, Alone: true}
	killed, killedAlone := Failure{Cause: errSeats, Killed: true}, Failure{Cause: errSeats, Killed: true, Alone: true}
	worked := alone
	worked.Worked = start.Add(150 * time.Second)
	for name, steps := range map[string][]step{
		"a rate": {{0, own, false}, {0, own, false}, {0, own, true}},
		"too slow for a rate": {
			{0, own, false},
			{10 * time.Second, own, false},
			{10 * time.Second, own, false},
			{10 * time.Second, own, false},
		},
		"a row while nobody is there": {{0, alone, false}, {time.Minute, alone, false}, {time.Minute, alone, true}},
		"a row that somebody's work has ended": {
			{0, alone, false},
			{time.Minute, alone, false},
			{2 * time.Minute, worked, false},
		},
		"killed beside others": {{0, killed, false}, {0, killed, false}, {0, killed, false}, {0, killed, false}},
		"killed while nobody is there": {
			{0, killedAlone, false},
			{0, killedAlone, false},
			{0, killedAlone, true},
		},
	} {
		g, now := NewWithT(t), start
		var b Breaker
		for i, s := range steps {
			now = now.Add(s.after)
			g.Expect(b.Fail(policy, now, s.f)).To(Equal(s.opens), "%s, step %d", name, i)
		}
	}
}

func TestAnOpenBreakerSendsOneProbeAndThatTells(t *testing.T) {
	g := NewWithT(t)
	var b Breaker
	admit := func(now time.Time) Admission { a, _ := b.Admit(now); return a }
	g.Expect(admit(start)).To(Equal(Start))
	b.Trip(start.Add(policy.Delay(b.Opened())))
	a, until := b.Admit(start)
	g.Expect(a).To(Equal(Wait))
	g.Expect(until).To(Equal(start.Add(policy.Base)))
	g.Expect(b.Fail(policy, start, Failure{})).To(BeFalse(), "it is open: only the probe tells")
	g.Expect(admit(until)).To(Equal(Probe))
	b.Probes()
	a, until = b.Admit(until.Add(time.Hour))
	g.Expect(a).To(Equal(Wait))
	g.Expect(until).To(BeZero(), "until the probe tells")

	g.Expect(b.Fail(policy, start, Failure{Probe: true, Killed: true})).To(BeFalse())
	g.Expect(b.Probing()).To(BeFalse(), "the next one tells")
	b.Probes()
	g.Expect(b.Fail(policy, start, Failure{Probe: true, Cause: errSeats})).To(BeTrue())
	g.Expect(b.Cause()).To(Equal(errSeats))
	g.Expect(b.Close()).To(BeTrue())
	g.Expect(b).To(Equal(Breaker{}))
	g.Expect(b.Close()).To(BeFalse())
}

func TestDelaysDoubleUpToTheLongest(t *testing.T) {
	g := NewWithT(t)
	for n, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		g.Expect(policy.Delay(n)).To(Equal(want * time.Millisecond))
	}
	g.Expect(policy.Delay(1 << 20)).To(Equal(policy.Max))
}
