package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// assault runs the nemeses against an idle target and returns the history.
func assault(t *testing.T, run chaos.Run, list ...chaos.Nemesis) *tape {
	t.Helper()
	var rec tape
	run.Open, run.Chaos, run.Settle, run.Steady = rec.open, list, time.Nanosecond, time.Nanosecond
	NewWithT(t).Expect(run.Do(t.Context())).To(Succeed())
	return &rec
}

// reasons lists why the injections did not happen.
func (t *tape) reasons() (list []string) {
	for _, f := range t.faults(history.Concluded) {
		if f.Err != "" {
			list = append(list, string(f.Outcome)+": "+f.Err)
		}
	}
	return list
}

var errNoSpace = errors.New("no space")

var killAll = chaos.Nemesis{Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{All: true}}

func TestFloorIsKept(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := sleepers(t, 3)
	rec := assault(t, chaos.Run{Target: p, MinAlive: 2}, killAll)
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 1, "refused": 1}))
	g.Expect(rec.reasons()).To(ConsistOf(ContainSubstring("min_alive reached")))
}

// The floor holds for what befalls the target as a whole too.
func TestFloorIsKeptByOperations(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 3})
	rec := assault(t, chaos.Run{Target: p, MinAlive: 2}, once(faults.Resize{To: 1}), once(faults.Close{}),
		once(faults.Terminate{}), once(faults.Supervisor{}))
	g.Expect(rec.reasons()).To(HaveEach(HavePrefix("refused: min_alive reached: ")))
	g.Expect(rec.settled()).To(Equal(map[string]int{"refused": 4}))
	rec = assault(t, chaos.Run{Target: p, MinAlive: 2}, once(faults.Resize{To: 2}))
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 1}), "%v", rec.reasons())
}

// Lists that strike at the same moment keep the floor together, and no member is hit twice: also when those that the
// first one hit die while another one counts who is left.
func TestSideBySideListsKeepTheFloor(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for range 10 {
		g := NewWithT(t)
		p := sleepers(t, 4)
		rec := assault(t, chaos.Run{Target: p, MinAlive: 1}, slices.Repeat([]chaos.Nemesis{killAll}, 20)...)
		g.Expect(rec.settled()["confirmed"]).To(Equal(3))
		hit := map[int]int{}
		for _, f := range rec.faults(history.Injected) {
			hit[f.Victim.PID]++
		}
		g.Expect(hit).To(HaveLen(3))
	}
}

func TestProtectedProcessesAreNoVictims(t *testing.T) {
	long(t)
	for _, pid := range []int{1, os.Getpid(), os.Getppid()} {
		g := NewWithT(t)
		p := &procs{list: []chaos.Member{member(0, pid)}, marker: "none"}
		rec := assault(t, chaos.Run{Target: p}, once(faults.Signal{Name: "WINCH"}))
		g.Expect(rec.reasons()).To(ConsistOf(HavePrefix("refused: pid ")))
		g.Expect(rec.faults(history.Injected)).To(BeEmpty())
	}
}

// A signal can be sent to a zombie, and proves nothing.
func TestZombiesAreAlreadyGone(t *testing.T) {
	long(t)
	t.Parallel()
	g := NewWithT(t)
	p := &procs{marker: "zombie"}
	cmd := sleeper(t, p.marker)
	p.list = []chaos.Member{member(0, cmd.Process.Pid)}
	g.Expect(cmd.Process.Kill()).To(Succeed())
	g.Eventually(func() string { return state(cmd.Process.Pid) }).Should(Equal("Z"))
	rec := assault(t, chaos.Run{Target: p}, once(faults.Signal{Name: "KILL"}))
	g.Expect(rec.settled()).To(Equal(map[string]int{"already_gone": 1}))
}

func TestNobodyToPickIsMissed(t *testing.T) {
	long(t)
	t.Parallel()
	g := NewWithT(t)
	rec := assault(t, chaos.Run{Target: sleepers(t, 1)},
		chaos.Nemesis{Fault: faults.Pause{}, Pick: chaos.Pick{State: "busy"}})
	g.Expect(rec.reasons()).To(ConsistOf("missed: within 1s no member could be picked: random 1 busy"))
}

func TestTargetWithoutMembersIsNamed(t *testing.T) {
	g := NewWithT(t)
	var rec tape
	run := chaos.Run{Target: &procs{}, Open: rec.open, Boot: time.Millisecond}
	g.Expect(run.Do(t.Context())).To(MatchError(ContainSubstring("the target has no members after 1ms")))
	g.Expect(rec.count(func(e history.Event) bool { return e.Alarm != nil && e.Alarm.Kind == history.AlarmError })).
		To(Equal(1))
	g.Expect(rec.abort).To(BeTrue())
}

func TestFaultsThatATargetCannotDoAreRefusedByName(t *testing.T) {
	g := NewWithT(t)
	rec := assault(t, chaos.Run{Target: sleepers(t, 1)}, once(faults.Exit{}), once(faults.Resize{To: 2}),
		once(faults.Crashpoint{At: "mid-exec"}))
	g.Expect(rec.reasons()).To(ConsistOf(
		"refused: the procs target cannot make a member harm itself", "refused: the procs target cannot be resized",
		"refused: the procs target cannot arm crash points"))
}

// Where the target does not tell how its members end, the kernel does once somebody has reaped the victim; else all
// that is known is that it is gone.
func TestTiersOfEvidence(t *testing.T) {
	long(t)
	t.Parallel()
	g := NewWithT(t)
	p := &procs{marker: "tiers"}
	reaped, left := sleeper(t, p.marker), sleeper(t, p.marker)
	p.list = []chaos.Member{member(0, reaped.Process.Pid), member(1, left.Process.Pid)}
	go func() { _, _ = reaped.Process.Wait() }()
	rec := assault(t, chaos.Run{Target: p}, killAll)
	tiers := map[int]string{}
	for _, f := range rec.faults(history.Concluded) {
		tiers[f.Victim.Slot] = f.Receipt.Tier
	}
	want := chaos.TierExitInfo
	if !chaos.HasExitInfo() {
		want = chaos.TierReadable
	}
	g.Expect(tiers).To(Equal(map[int]string{0: want, 1: chaos.TierReadable}))
}

// What was planned is read back out of the history: times, faults out of a mix, and the ranks of the victims, those of
// one shot together. Injected again, it hits the same members.
func TestReplay(t *testing.T) {
	long(t)
	g := NewWithT(t)
	winch := faults.Signal{Name: "WINCH", Grace: time.Millisecond}
	list := []chaos.Nemesis{
		{Fault: chaos.Mixed{{Fault: winch}, {Fault: faults.Pause{For: time.Millisecond}}}},
		{Fault: faults.Signal{Name: "CONT", Grace: time.Millisecond}},
	}
	planned := func(n, nemesis, rank int, fault string, due time.Duration) history.Event {
		f := &history.Fault{N: n, Nemesis: nemesis, Op: history.Planned, Fault: fault, Due: due}
		if rank >= 0 {
			f.Victim = &history.Victim{Slot: rank, Rank: rank} // everybody can be picked
		}
		return history.Event{Fault: f}
	}
	events := []history.Event{
		{T: time.Second, Stage: &history.Stage{Name: history.Chaos}},
		planned(1, 0, 3, "signal WINCH grace 1ms", time.Second),
		planned(2, 1, 2, "signal CONT grace 1ms", time.Second+50*time.Millisecond),
		planned(3, 1, 0, "signal CONT grace 1ms", time.Second+50*time.Millisecond),
		planned(4, 0, 1, "pause 1ms", time.Second+100*time.Millisecond),
	}
	shots, left, err := chaos.Trace(read(events...), list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(shots).To(HaveLen(3))
	g.Expect(left).To(BeZero())
	g.Expect(shots[1]).To(And(
		HaveField("At", 50*time.Millisecond), HaveField("Aims", []chaos.Aim{{2, 2}, {0, 0}}),
		HaveField("Fault", list[1].Fault)))
	g.Expect(shots[2].Fault).To(Equal(faults.Pause{For: time.Millisecond}))

	rec := assault(t, chaos.Run{Target: sleepers(t, 4), Shots: shots}, list...)
	var hit []string
	for _, f := range rec.faults(history.Injected) {
		hit = append(hit, fmt.Sprintf("%s in slot %d", f.Fault, f.Victim.Slot))
	}
	g.Expect(hit).To(ConsistOf("signal WINCH grace 1ms in slot 3", "signal CONT grace 1ms in slot 2",
		"signal CONT grace 1ms in slot 0", "pause 1ms in slot 1"))

	none, _, err := chaos.Trace(read(), list)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(none).To(And(BeEmpty(), Not(BeNil())), "nil would stand for the seed's plan")
	_, _, err = chaos.Trace(read(planned(1, 0, 0, "exit 3", 0)), list)
	g.Expect(err).To(MatchError(`injection 1 is "exit 3", which nemesis 0 does not do`))
	_, _, err = chaos.Trace(read(planned(1, 7, 0, "exit 3", 0)), list)
	g.Expect(err).To(MatchError("injection 1 is of nemesis 7, and there are 2"))
}

// One seed strikes the same slots at the same times on two runs, wherever the shots found their first choice in time.
func TestOneSeedGivesTheSameVictimsOnTwoRuns(t *testing.T) {
	long(t)
	g := NewWithT(t)
	kills := chaos.Nemesis{
		Fault: faults.Signal{Name: "KILL"}, When: chaos.When{Poisson: 40, For: time.Second}, Require: -1,
	}
	run := func() (shots []history.Fault, inTime map[int]bool) {
		rec := assault(t, chaos.Run{Target: start(t, pool.Config{Size: 8}), Seed: 11}, kills)
		inTime = map[int]bool{}
		for _, e := range rec.events {
			if f := e.Fault; f != nil && f.Op == history.Planned {
				shots = append(shots, *f)
				inTime[f.N] = f.Victim != nil && e.T-f.Due < 200*time.Millisecond
			}
		}
		slices.SortFunc(shots, func(a, b history.Fault) int { return int(a.Due - b.Due) })
		return shots, inTime
	}
	one, firstOfOne := run()
	two, firstOfTwo := run()
	g.Expect(two).To(HaveLen(len(one)))
	both := 0
	for i := range one {
		if firstOfOne[one[i].N] && firstOfTwo[two[i].N] {
			both++
			g.Expect(two[i].Victim.Slot).To(Equal(one[i].Victim.Slot), "shot %d", i)
		}
	}
	t.Logf("%d of %d shots were in time in both runs", both, len(one))
}
