package history_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
)

// From when a member is told to retire on it is to take no more tasks, but for what is on its way, until it is ready
// again or its number is another process's.
func TestWhoRetiresTakesNoMoreTasks(t *testing.T) {
	const pid = 7
	for _, c := range []struct {
		tells  []history.MemberOp // a second after the other
		second float64
		want   bool
	}{
		{nil, 1, false},
		{[]history.MemberOp{history.Ready}, 5, false},
		{[]history.MemberOp{history.Retiring}, 0.9, false},
		{[]history.MemberOp{history.Retiring}, 1.01, false},
		{[]history.MemberOp{history.Retiring}, 1.1, true},
		{[]history.MemberOp{history.Quarantined}, 1.1, true},
		{[]history.MemberOp{history.Retiring, history.Retiring}, 9, true},
		{[]history.MemberOp{history.Retiring, history.Ready}, 1.5, true},
		{[]history.MemberOp{history.Retiring, history.Ready}, 2.5, false},
		{[]history.MemberOp{history.Retiring, history.Exited}, 2.5, false},
		{[]history.MemberOp{history.Retiring, history.Exited, history.Started}, 3.5, false},
		{[]history.MemberOp{history.Retiring, history.Ready, history.Retiring}, 3.5, true},
	} {
		var r history.Retirements
		for i, op := range c.tells {
			r.Hear(&history.MemberEvent{Op: op, PID: pid}, time.Duration(i+1)*time.Second)
		}
		at := time.Duration(c.second * float64(time.Second))
		NewWithT(t).Expect(r.Retired(pid, at)).To(Equal(c.want), "%v, at %v", c.tells, at)
		NewWithT(t).Expect(r.Retired(pid+1, at)).To(BeFalse())
	}
}
