package chaos_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// strike runs the nemeses against the target, under load, and returns the history.
func strike(t *testing.T, target chaos.Target, chaosList ...chaos.Nemesis) *tape {
	t.Helper()
	var rec tape
	run := chaos.Run{
		Target: target, Open: rec.open, Chaos: chaosList, Steady: 50 * time.Millisecond, Seed: 7,
		Load: &chaos.Load{Task: "sleep", Args: map[string]any{"duration": 3 * time.Millisecond}, Concurrency: 8},
	}
	NewWithT(t).Expect(run.Do(t.Context())).To(Succeed())
	return &rec
}

// once is one injection into a random member.
func once(f chaos.Fault) chaos.Nemesis { return chaos.Nemesis{Fault: f} }

// ending is a receipt that says so.
func ending(how string) types.GomegaMatcher {
	return HaveKeyWithValue("ended", how)
}

// A signal that its victim need not have noticed is no fault that happened.
func TestSignalsThatDoNothingAreNotConfirmed(t *testing.T) {
	for _, name := range []string{"URG", "CHLD", "WINCH", "CONT", "ALRM", "PIPE"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := strike(t, start(t, pool.Config{Size: 1}), once(faults.Signal{Name: name})).faults(history.Concluded)
			NewWithT(t).Expect(list).To(ConsistOf(HaveField("Outcome", history.Unconfirmed)), name)
		})
	}
}

// Every fault is confirmed on our pool, by the evidence that it must have.
func TestFaultsAreConfirmed(t *testing.T) {
	long(t)
	for _, c := range []struct {
		fault    chaos.Fault
		fatal    bool
		evidence types.GomegaMatcher
	}{
		{faults.Signal{Name: "KILL"}, true, And(ending("signal SIGKILL"), HaveKeyWithValue("how", "died of it"))},
		{faults.Signal{Name: "TERM"}, true, And(ending("exit 0"), HaveKeyWithValue("how", "drained and exited 0"))},
		{faults.Signal{Name: "INT"}, true, HaveKeyWithValue("how", "died of it")},
		{
			faults.Signal{Name: "SEGV"},
			true,
			And(ending("exit 2"), HaveKeyWithValue("how", "died of it: its runtime says so")),
		},
		{
			faults.Signal{Name: "ABRT"},
			true,
			And(ending("exit 2"), HaveKeyWithValue("how", "died of it: its runtime says so")),
		},
		{
			faults.Pause{For: 100 * time.Millisecond},
			false,
			And(HaveKeyWithValue("at the beginning", "T"), HaveKeyWithValue("at the end", "T")),
		},
		{faults.Exit{Code: 3}, true, And(ending("exit 3"), HaveKeyWithValue("marker", "respawn stress: exit 3"))},
		{faults.Exit{}, true, And(ending("exit 0"), HaveKeyWithValue("marker", "respawn stress: exit 0"))},
		{
			faults.Panic{Text: "oh no"},
			true,
			And(ending("exit 2"), HaveKeyWithValue("marker", "respawn stress: panic oh no")),
		},
		{
			faults.Crashpoint{At: "before-read"},
			true,
			And(ending("signal SIGKILL"), HaveKeyWithValue("marker", "crash point before-read")),
		},
		{faults.Crashpoint{At: "after-read"}, true, HaveKeyWithValue("marker", "crash point after-read")},
		{faults.Crashpoint{At: "mid-exec"}, true, HaveKeyWithValue("marker", "crash point mid-exec")},
		{faults.Crashpoint{At: "mid-write"}, true, HaveKeyWithValue("marker", "crash point mid-write")},
		{faults.Crashpoint{At: "after-write"}, true, HaveKeyWithValue("marker", "crash point after-write")},
		{faults.Crashpoint{At: "during-drain"}, true, HaveKeyWithValue("marker", "crash point during-drain")},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			g := NewWithT(t)
			p := start(t, pool.Config{Size: 2})
			rec := strike(t, p, once(c.fault))
			list := rec.faults(history.Concluded)
			g.Expect(list).To(HaveLen(1))
			f := list[0]
			g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
			g.Expect(f.Fatal).To(Equal(c.fatal))
			g.Expect(f.Receipt.Evidence).To(c.evidence)
			g.Expect(rec.outcomes()).To(And(HaveLen(1), HaveKey(history.OK)))
		})
	}
}

// A worker that stays stopped is killed by the pool: the pause ends with it, and that is in the receipt.
func TestPausedVictimIsKilledByThePool(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	// on a busy host a stop takes long to be seen, and must be before the end
	p := start(t, pool.Config{Size: 2, Heartbeat: time.Second})
	rec := strike(t, p, once(faults.Pause{For: 10 * time.Second}))
	f := rec.faults(history.Concluded)[0]
	g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
	g.Expect(f.Fatal).To(BeTrue())
	g.Expect(f.Receipt.Evidence).To(HaveKeyWithValue("at the end", "gone: signal SIGKILL"))
	g.Expect(f.Receipt.Evidence).To(HaveKeyWithValue("reason", "stall"))
	g.Expect(rec.faults(history.Healed)).To(HaveLen(1))
}

// A victim that is to be hit in a phase is in that phase when it is hit, or it is not hit.
func TestPhasesAreHitExactly(t *testing.T) {
	long(t)
	for _, phase := range []string{"idle", "reading", "running", "writing"} {
		t.Run(phase, func(t *testing.T) {
			g := NewWithT(t)
			p := start(t, pool.Config{Size: 2})
			rec := strike(t, p, chaos.Nemesis{
				Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{Phase: phase},
				When: chaos.When{Every: 50 * time.Millisecond, Times: 3},
			})
			outcomes := rec.settled()
			g.Expect(outcomes["confirmed"]+outcomes["missed"]).To(Equal(3), "%v", outcomes)
			for _, f := range rec.faults(history.Injected) {
				g.Expect(f.Victim.Phase).To(Equal(phase))
			}
			if phase == "idle" || phase == "running" {
				g.Expect(outcomes["confirmed"]).To(BeNumerically(">=", 1), "%v", outcomes)
			}
		})
	}
}

// A booting member is hit while it boots.
func TestDuringBoot(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	g.Expect(p.SetBoot(0, 200*time.Millisecond)).To(Succeed())
	rec := strike(t, p, once(faults.Signal{Name: "KILL"}), once(faults.Crashpoint{At: "during-boot"}))
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 2}), "%v", rec.faults(history.Concluded))
	for _, f := range rec.faults(history.Injected) {
		if f.Nemesis == 1 {
			g.Expect(f.Victim.Phase).To(Equal("booting"))
		}
	}
}

// The target's own operations are confirmed by what there is afterwards.
func TestOperations(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	rec := strike(t, p, once(faults.Resize{To: 4}))
	g.Expect(rec.settled()).To(HaveKeyWithValue("confirmed", 1), "%v", rec.faults(history.Concluded))
	g.Expect(rec.faults(history.Injected)[0].Closes).To(BeFalse(), "it takes tasks as before")
	g.Expect(p.Want()).To(Equal(4))

	rec = strike(t, p, once(faults.Restart{}))
	g.Expect(rec.settled()).To(HaveKeyWithValue("confirmed", 1), "%v", rec.faults(history.Concluded))
	g.Expect(rec.outcomes()).To(And(HaveLen(1), HaveKey(history.OK)))

	rec = strike(t, p, once(faults.Poison{Code: 9}))
	f := rec.faults(history.Concluded)[0]
	g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
	g.Expect(f.Receipt.PIDs).To(HaveLen(3))
	marker := rec.faults(history.Injected)[0].Marker
	g.Expect(marker).To(Equal("respawn poison: exit 9"))
	g.Expect(rec.count(func(e history.Event) bool {
		return e.Member != nil && e.Member.Op == history.Exited && slices.Contains(f.Receipt.PIDs, e.Member.PID) &&
			slices.Contains(strings.Split(e.Member.Exit.Stderr, "\n"), marker)
	})).To(Equal(3))
	g.Expect(rec.outcomes()).To(And(HaveLen(1), HaveKey(history.OK)))

	rec = strike(t, p, once(faults.Close{}))
	g.Expect(rec.settled()).To(HaveKeyWithValue("confirmed", 1), "%v", rec.faults(history.Concluded))
	g.Expect(rec.outcomes()).NotTo(HaveKey(history.Hung))
	g.Expect(rec.outcomes()).To(HaveKey(history.Rejected))
	g.Expect(rec.faults(history.Injected)[0].Closes).To(BeTrue())
}

// A pool that is terminated with tasks in flight settles every one of them.
func TestTerminate(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	rec := strike(t, p, once(faults.Terminate{}))
	g.Expect(rec.settled()).To(HaveKeyWithValue("confirmed", 1), "%v", rec.faults(history.Concluded))
	g.Expect(rec.outcomes()).NotTo(HaveKey(history.Hung))
	g.Expect(rec.faults(history.Injected)[0].Closes).To(BeTrue())
}

// What changes nothing is refused, and not confirmed by a receipt of nothing.
func TestOperationsThatWouldChangeNothingAreRefused(t *testing.T) {
	p := start(t, pool.Config{Size: 2})
	refused := func(f chaos.Fault, why string) {
		t.Helper()
		g := NewWithT(t)
		var refusal *chaos.RefusedError
		err := f.Begin().Setup(t.Context(), &chaos.Case{Target: p})
		g.Expect(errors.As(err, &refusal)).To(BeTrue(), "%v", err)
		g.Expect(refusal.Reason).To(Equal(why))
	}
	refused(faults.Resize{To: 2}, "the target has a size of 2 already")
	NewWithT(t).Expect(p.Close()).To(Succeed())
	refused(faults.Close{}, "the target is closed already")
	refused(faults.Terminate{}, "the target is closed already")
}

// Boots that are slow without an end of their own are slow for the replacement of the last victim too.
func TestSlowBootsLastUntilTheTargetHasRecovered(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	rec := strike(t, p, once(faults.Spawn{Delay: 200 * time.Millisecond}), chaos.Nemesis{
		Fault: faults.Signal{Name: "KILL"}, When: chaos.When{After: 300 * time.Millisecond},
	})
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 2}), "%v", rec.reasons())
	g.Expect(rec.faults(history.Healed)).To(HaveLen(1))

	rec = strike(t, p, once(faults.Spawn{Delay: time.Millisecond})) // nobody boots, and nothing is left to wait for
	g.Expect(rec.reasons()).To(Equal([]string{"unconfirmed: no member booted meanwhile"}))
}

// Boots are broken by one injection at a time: another one would take its orders back.
func TestBootsAreSpoiltByOneAtATime(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	rec := strike(t, p, once(faults.Spawn{Delay: 10 * time.Millisecond}), once(faults.Spawn{Fail: 1}), chaos.Nemesis{
		Fault: faults.Signal{Name: "KILL"}, When: chaos.When{After: 300 * time.Millisecond},
	})
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 2, "refused": 1}), "%v", rec.reasons())
	g.Expect(rec.reasons()).To(Equal(
		[]string{"refused: another spawn is going on: give it fail and delay together, or let this one begin later"}))
	g.Expect(strike(t, p, once(faults.Spawn{Delay: time.Millisecond})).settled()).
		To(Equal(map[string]int{"unconfirmed": 1}), "it is over")
}
