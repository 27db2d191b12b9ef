package chaos_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// Random busy workers are killed under load: every injection has a receipt, every slot answers a probe, every task its
// value, and nothing is left.
func TestKillUnderLoad(t *testing.T) {
	long(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 4})
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Seed: 42, Close: p.Close, Witness: p.Witness(),
		Load: &chaos.Load{Task: "sleep", Args: map[string]any{"duration": 5 * time.Millisecond}, Concurrency: 16},
		Chaos: []chaos.Nemesis{{
			Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{State: "busy"},
			When: chaos.When{Every: 100 * time.Millisecond, Jitter: 0.2, For: 2 * time.Second},
		}},
		Steady: 200 * time.Millisecond,
	}
	g.Expect(run.Do(t.Context())).To(Succeed())

	g.Expect(rec.closed).To(BeTrue())
	g.Expect(rec.settled()["confirmed"]).To(BeNumerically(">=", 5), "%v", rec.settled())
	for _, f := range rec.faults(history.Concluded) {
		if f.Outcome == history.Missed { // a host so loaded that for a second no worker is up
			continue
		}
		g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
		g.Expect(f.Receipt.Tier).To(Equal(chaos.TierWaitStatus))
		g.Expect(f.Receipt.Evidence).To(HaveKeyWithValue("ended", "signal SIGKILL"))
		g.Expect(f.Fatal).To(BeTrue())
		g.Expect(rec.count(func(e history.Event) bool {
			return e.Probe != nil && e.Probe.For == f.N && e.Probe.Op == history.Answered && e.Probe.PID != f.Victim.PID
		})).To(Equal(1), "probe after injection %d", f.N)
	}
	outcomes := rec.outcomes()
	g.Expect(outcomes).To(HaveLen(1), "%v", outcomes)
	g.Expect(outcomes[history.OK]).To(BeNumerically(">", 100))
	runs := rec.count(func(e history.Event) bool { return e.Run != nil && e.Run.End > 0 })
	g.Expect(runs).To(BeNumerically(">=", outcomes[history.OK]))
	last := history.Sample{}
	for _, e := range rec.events {
		if e.Sample != nil {
			last = *e.Sample
		}
	}
	g.Expect(last.Want).To(BeZero())
	g.Expect(last.Orphans + last.Zombies + last.Alive).To(BeZero())
}

// The probe after a death is answered by the replacement, also where the victim was idle and would have answered it.
func TestIdleVictimsReplacementsAnswerTheProbe(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 3})
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open,
		Chaos: []chaos.Nemesis{{
			Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{Each: true, State: "idle"},
			When: chaos.When{Every: 100 * time.Millisecond, Times: 6},
		}},
		Steady: 50 * time.Millisecond,
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 6}))
	hit := map[int]int{}
	for _, f := range rec.faults(history.Concluded) {
		// in the order of their confirmations, in which one may overtake another
		hit[f.Victim.Slot]++
		g.Expect(f.Victim.Phase).To(Equal("idle"))
		g.Expect(rec.count(func(e history.Event) bool {
			return e.Probe != nil && e.Probe.For == f.N && e.Probe.Op == history.Answered && e.Probe.PID != f.Victim.PID
		})).To(Equal(1), "probe after injection %d", f.N)
	}
	g.Expect(hit).To(Equal(map[int]int{0: 2, 1: 2, 2: 2}))
}

// A target need not answer probes: it is struck all the same, and the record says that nothing is known of slots that
// answer.
func TestATargetThatAnswersNoProbesIsAskedForNone(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	kill := []chaos.Nemesis{{Fault: faults.Signal{Name: "KILL"}}}
	for name, target := range map[string]chaos.Target{"with": p, "without": struct{ chaos.Target }{p}} {
		var rec tape
		run := chaos.Run{Target: target, Open: rec.open, Chaos: kill, Steady: 50 * time.Millisecond}
		g.Expect(run.Do(t.Context())).To(Succeed())
		g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 1}), name)
		g.Expect(rec.header.Target.Unprobed).To(Equal(name == "without"), name)
		probes := rec.count(func(e history.Event) bool { return e.Probe != nil })
		g.Expect(probes > 0).To(Equal(name == "with"), name)
	}
}

// Where no task ever began there is no file of executions, and the harness is not to blame.
func TestWitnessOfNothingIsNoError(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Close: p.Close, Witness: p.Witness(),
		Load:   &chaos.Load{Task: "unheard-of", Concurrency: 2, Count: 4},
		Steady: time.Millisecond,
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(rec.outcomes()).To(Equal(map[history.Outcome]int{history.Rejected: 4}))
	g.Expect(rec.count(func(e history.Event) bool { return e.Alarm != nil })).To(BeZero())
}

// A harness that cannot look for what the target left does not say that there is nothing.
func TestABlindHarnessSaysSo(t *testing.T) {
	long(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	var rec tape
	blind := errors.New("too many open files")
	run := chaos.Run{Target: p, Open: rec.open, Steady: time.Millisecond, Close: func() error {
		t.Cleanup(chaos.Blind(blind))
		return p.Close()
	}}
	g.Expect(run.Do(t.Context())).To(MatchError(blind))
	g.Expect(rec.count(func(e history.Event) bool {
		return e.Alarm != nil && e.Alarm.Kind == history.AlarmError &&
			strings.Contains(e.Alarm.Text, "too many open files")
	})).To(Equal(1))
}
