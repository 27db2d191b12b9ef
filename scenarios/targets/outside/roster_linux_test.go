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
	r := newRoster(size, first, nobody{}, nil)
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
