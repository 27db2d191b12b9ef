package outside

import (
	"context"
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
)

// sleeper is a process to be listed, ended with the test.
func sleeper(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	NewWithT(t).Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// nobody lists nothing.
type nobody struct{}

func (nobody) Workers(context.Context) ([]int, error) { return nil, context.Canceled }
func (nobody) Owns(int) bool                          { return true }
func (nobody) PID() int                               { return 0 }

// listedBy is a roster that is told its listings by the test alone.
func listedBy(t *testing.T, size int, first ...int) *roster {
	t.Helper()
	r := newRoster(size, false, first, nobody{}, nil)
	t.Cleanup(r.close)
	return r
}

// One listing may leave out a worker that lives on: that one is in its slot again, and the same.
func TestListedAgain(t *testing.T) {
	g := NewWithT(t)
	a, b := sleeper(t), sleeper(t)
	r := listedBy(t, 2, a, b)
	var told []history.MemberEvent
	r.Watch(func(m history.MemberEvent) {
		m.At = 0
		told = append(told, m)
	})
	r.update(t.Context(), []int{b})
	g.Expect(r.living()).To(Equal(1))
	r.update(t.Context(), []int{a, b})
	g.Expect(r.living()).To(Equal(2))
	g.Expect(told).To(Equal([]history.MemberEvent{
		{Op: history.Retiring, Slot: 0, Gen: 1, PID: a}, {Op: history.Ready, Slot: 0, Gen: 1, PID: a},
	}))
}

// Whose slot has been taken meanwhile is one more than there should be.
func TestListedAgainTooLate(t *testing.T) {
	g := NewWithT(t)
	a, b := sleeper(t), sleeper(t)
	r := listedBy(t, 1, a)
	r.update(t.Context(), []int{b})
	r.update(t.Context(), []int{a, b})
	g.Expect(r.living()).To(Equal(2))
	g.Expect([]int{r.occupant(0), r.occupant(1)}).To(Equal([]int{b, a}))
}

// Of a pool that changes its size by itself, members beyond the fewest take the places of those that end.
func TestMembersBeyondTheFewestMoveUp(t *testing.T) {
	g := NewWithT(t)
	gone := exec.Command("sleep", "60")
	g.Expect(gone.Start()).To(Succeed())
	b, c := sleeper(t), sleeper(t)
	r := newRoster(2, true, []int{gone.Process.Pid, b, c}, nobody{}, nil)
	t.Cleanup(r.close)
	told := make(chan history.MemberEvent, 8)
	r.Watch(func(m history.MemberEvent) { m.At = 0; told <- m })
	g.Expect(gone.Process.Kill()).To(Succeed())
	_ = gone.Wait()
	g.Eventually(told).Should(Receive(And(HaveField("Op", history.Exited), HaveField("PID", gone.Process.Pid))))
	g.Eventually(told).Should(Receive(Equal(history.MemberEvent{Op: history.Retiring, Slot: 2, Gen: 1, PID: c})))
	g.Eventually(told).Should(Receive(Equal(history.MemberEvent{Op: history.Ready, Slot: 0, Gen: 2, PID: c})))
	g.Expect([]int{r.occupant(0), r.occupant(1), r.occupant(2)}).To(Equal([]int{c, b, 0}))
	g.Expect(r.living()).To(Equal(2))
}
