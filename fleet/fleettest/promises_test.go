package fleettest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/fleettest"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

var crash = pool.Register("crash", func(context.Context, int) (int, error) { os.Exit(3); return 0, nil })

// TestTimeoutsCancelAndPoison are what a fleet says of a task itself, over nodes in processes of their own.
func TestTimeoutsCancelAndPoison(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	dir := t.TempDir() // before the fleet, so that it is removed after the fleet has ended
	f := fleettest.New(t, fleettest.Nodes(2), fleettest.Workers(1),
		fleettest.Owner(func(c *fleet.Config) { c.QueueLimit = 16 }))
	var waits []*pool.Future[int]
	for n := range 8 { // the last of them waits longer than its timeout before it starts
		waits = append(waits,
			run.Submit(bound(t), f, work{dir, n, 400 * time.Millisecond}, pool.WithTimeout(time.Second)))
	}
	for n, fut := range waits {
		g.Expect(fut.Result(bound(t))).To(Equal(n), "a timeout counts from the start")
	}
	_, err := run.Call(bound(t), f, work{dir, 100, time.Hour}, pool.WithTimeout(100*time.Millisecond))
	var timeout *pool.TimeoutError
	g.Expect(errors.As(err, &timeout)).To(BeTrue(), "%v", err)

	ctx, cancel := context.WithCancel(bound(t))
	first, second := run.Submit(ctx, f, work{dir, 101, time.Hour}), run.Submit(ctx, f, work{dir, 102, time.Hour})
	g.Eventually(func() int { _, n := executions(dir); return n }).WithTimeout(time.Minute).Should(Equal(11),
		"both run")
	cancel()
	for _, fut := range []*pool.Future[int]{first, second} {
		_, err := fut.Result(bound(t))
		g.Expect(err).To(MatchError(context.Canceled))
	}

	_, err = crash.Call(bound(t), f, 0)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(3), "its budget of crashes")
	g.Expect(square.Map(bound(t), f, []int{1, 2, 3, 4})).To(Equal([]int{1, 4, 9, 16}),
		"the workers are free again, and the nodes are there")
	g.Expect(f.Alive()).To(Equal(2))

	ctx, cancel = context.WithCancel(bound(t))
	defer cancel()
	for n := range 16 {
		run.Submit(ctx, f, work{dir, 200 + n, time.Hour})
	}
	_, err = square.Submit(ctx, f, 7).Result(ctx)
	g.Expect(err).To(MatchError(pool.ErrQueueFull))
}

// TestAStoppedNodeIsGivenUpAndItsLateResultsChangeNothing stops the node that has the tasks, and lets it go on once
// another has run them.
func TestAStoppedNodeIsGivenUpAndItsLateResultsChangeNothing(t *testing.T) {
	t.Parallel()
	takes.Long(t)
	g := NewWithT(t)
	dir := t.TempDir() // before the fleet, so that it is removed after the fleet has ended
	f := fleettest.New(t, fleettest.Nodes(2), fleettest.Workers(2))
	f.Kill("node-2") // so that node-1 has them
	var futures []*pool.Future[int]
	for n := range 2 {
		futures = append(futures, run.Submit(bound(t), f, work{dir, n, 3 * time.Second}))
	}
	once := run.Submit(bound(t), f, work{dir, 9, 3 * time.Second}, pool.WithDelivery(pool.AtMostOnce))
	held := func() (n int) {
		for _, info := range f.Nodes() {
			if info.Name == "node-1" {
				n = info.Held
			}
		}
		return n
	}
	g.Eventually(held).WithTimeout(time.Minute).Should(BeNumerically(">=", 2))
	f.Signal("node-1", syscall.SIGSTOP)
	f.Start("node-2")
	for n, fut := range futures {
		g.Expect(fut.Result(bound(t))).To(Equal(n))
	}
	f.Signal("node-1", syscall.SIGCONT)
	if _, err := once.Result(bound(t)); err != nil { // granted to the one that was stopped
		var exit *fleet.NodeExit
		g.Expect(errors.As(err, &exit)).To(BeTrue(), "%v", err)
		g.Expect(exit.Proven).To(BeFalse(), "it may only be cut off")
	}
	all, different := executions(dir)
	g.Expect(different).To(BeNumerically(">=", 2))
	g.Expect(all).To(BeNumerically("<=", 5), "at least once: at most twice; at most once: once")
	g.Eventually(f.Alive).WithTimeout(time.Minute).Should(Equal(2), "it is taken back")
	g.Eventually(func() uint64 { return f.Stats().Stale }).WithTimeout(time.Minute).Should(BeNumerically(">=", 1),
		"what it says of them is refused")
	g.Expect(square.Call(bound(t), f, 4)).To(Equal(16))
}

// reverse takes and gives a payload larger than any message, and records that it began.
var reverse = pool.Register("reverse", func(_ context.Context, in large) ([]byte, error) {
	if err := in.record(); err != nil {
		return nil, err
	}
	out := bytes.Clone(in.Data)
	slices.Reverse(out)
	return out, nil
})

type large struct {
	work
	Data []byte
}

// TestLargePayloadsSurviveNodesThatAreKilledAndStopped sends 8 MiB there and back, while nodes are killed and one is
// stopped for a while.
func TestLargePayloadsSurviveNodesThatAreKilledAndStopped(t *testing.T) {
	t.Parallel()
	takes.Long(t)
	g := NewWithT(t)
	dir := t.TempDir()
	f := fleettest.New(t, fleettest.Nodes(3), fleettest.Workers(1), fleettest.Restarts())
	const tasks, size = 24, 8 << 20
	payload := func(n int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i>>8 + i*n)
		}
		return b
	}
	var futures []*pool.Future[[]byte]
	for n := range tasks {
		futures = append(futures, reverse.Submit(bound(t), f, large{work{dir, n, 0}, payload(n)}))
	}
	begun := func(n int) {
		t.Helper()
		g.Eventually(func() int { _, different := executions(dir); return different }).WithTimeout(time.Minute).
			Should(BeNumerically(">=", n))
	}
	for i, name := range []string{"node-1", "node-2", "node-3", "node-1"} {
		begun(3 * i)
		g.Eventually(f.Members).WithTimeout(time.Minute).Should(ContainElement(HaveField("Name", name)))
		f.Kill(name)
	}
	begun(12)
	g.Eventually(f.Members).WithTimeout(time.Minute).Should(ContainElement(HaveField("Name", "node-2")))
	f.Signal("node-2", syscall.SIGSTOP)
	begun(16)
	f.Signal("node-2", syscall.SIGCONT)
	for n, fut := range futures {
		got, err := fut.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		want := payload(n)
		slices.Reverse(want)
		g.Expect(bytes.Equal(got, want)).To(BeTrue(), "task %d", n)
	}
}
