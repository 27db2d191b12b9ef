package ledger_test

import (
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Every event goes through a ledger once and in order; it tells what became of whom.
func Example() {
	victim := &history.Victim{Slot: 0, PID: 11}
	l := ledger.New(history.Header{Target: history.Target{Size: 1, Can: []string{"events"}}})
	for i, e := range []history.Event{
		{T: 0, Member: &history.MemberEvent{Op: history.Ready, Slot: 0, PID: 11}},
		{T: 10 * time.Millisecond, Stage: &history.Stage{Name: history.Chaos}},
		{
			T:     20 * time.Millisecond,
			Fault: &history.Fault{N: 1, Op: history.Injected, Fault: "signal KILL", Victim: victim},
		},
		{
			T:      21 * time.Millisecond,
			Member: &history.MemberEvent{Op: history.Exited, Slot: 0, PID: 11, Exit: &history.Exit{Signal: "SIGKILL"}},
		},
		{T: 22 * time.Millisecond, Fault: &history.Fault{
			N: 1, Op: history.Concluded, Victim: victim, Outcome: history.Confirmed, Fatal: true,
			Receipt: &history.Receipt{Tier: "wait status", At: 21 * time.Millisecond},
		}},
		{T: 30 * time.Millisecond, Member: &history.MemberEvent{Op: history.Ready, Slot: 0, PID: 12}},
		{T: 31 * time.Millisecond, Probe: &history.Probe{Slot: 0, Op: history.Answered, For: 1, PID: 12}},
	} {
		l.Add(i+2, &e) // line 1 is the header's
	}
	l.Finish()
	for _, d := range l.Slots.Deaths {
		fmt.Printf("%v: slot %d was of use again after %v, by pid %d\n",
			l.Injections.ByN[d.N], d.Slot, d.Took(), d.Successor)
	}
	fmt.Println("the cause of the exit is injection", l.Cause(&l.Members.Exits[0]).N)
	// Output:
	// 1 (signal KILL on slot 0, pid 11): slot 0 was of use again after 10ms, by pid 12
	// the cause of the exit is injection 1
}
