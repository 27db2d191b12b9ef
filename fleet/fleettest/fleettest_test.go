package fleettest_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet/fleettest"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

var (
	square = pool.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	run    = pool.Register("run", func(ctx context.Context, in work) (int, error) {
		if err := in.record(); err != nil {
			return 0, err
		}
		select {
		case <-time.After(in.Length):
		case <-ctx.Done():
		}
		return in.N, ctx.Err()
	})
)

// work is a task that writes down each of its executions.
type work struct {
	Dir    string
	N      int
	Length time.Duration
}

func (w work) record() error {
	f, err := os.CreateTemp(w.Dir, fmt.Sprintf("%d-", w.N))
	if err != nil {
		return err
	}
	return f.Close()
}

// executions are how often tasks were begun, and the number of different ones.
func executions(dir string) (all, different int) {
	entries, _ := os.ReadDir(dir)
	seen := map[int]bool{}
	for _, e := range entries {
		var n int
		_, _ = fmt.Sscanf(e.Name(), "%d-", &n)
		seen[n] = true
	}
	return len(entries), len(seen)
}

func TestMain(m *testing.M) {
	pool.Main()
	takes.SideBySide(3)
	os.Exit(m.Run())
}

func bound(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestAFleetInATest is how a test of one's own looks.
func TestAFleetInATest(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	f := fleettest.New(t, fleettest.Nodes(2))
	g.Expect(square.Map(bound(t), f, []int{1, 2, 3})).To(Equal([]int{1, 4, 9}))
	killed := f.Kill("node-1")
	g.Expect(square.Call(bound(t), f, 4)).To(Equal(16))
	f.Start("node-1")
	g.Eventually(f.Alive).WithTimeout(time.Minute).Should(Equal(2))
	g.Expect(f.Members()).To(HaveLen(3))
	g.Expect(f.Members()[0].PID).NotTo(Equal(killed.PID))
	g.Expect(f.Members()[0].Generation).To(Equal(2))
}

// TestTheLeadersEndCostsTimeAlone kills the broker that leads the queue, of three, while tasks run and are submitted.
func TestTheLeadersEndCostsTimeAlone(t *testing.T) {
	t.Parallel()
	takes.Long(t)
	g := NewWithT(t)
	dir := t.TempDir() // before the fleet, so that it is removed after the fleet has ended
	f := fleettest.New(t, fleettest.Nodes(2), fleettest.Brokers(3), fleettest.OnDisk())
	var settled, last, gap atomic.Int64
	last.Store(time.Now().UnixNano())
	submit := func(n int) *pool.Future[int] {
		fut := run.Submit(bound(t), f, work{dir, n, 20 * time.Millisecond})
		go func() {
			<-fut.Done()
			settled.Add(1)
			now := time.Now().UnixNano()
			if d := now - last.Swap(now); d > gap.Load() {
				gap.Store(d)
			}
		}()
		return fut
	}
	var futures []*pool.Future[int]
	more := func(n int) {
		for range n {
			futures = append(futures, submit(len(futures)))
		}
	}
	more(50)
	g.Eventually(settled.Load).WithTimeout(time.Minute).Should(BeNumerically(">=", 20))
	leader := f.Leader()
	g.Expect(leader).To(HavePrefix("broker-"))
	more(50)
	f.Kill(leader)
	more(100)
	for i, fut := range futures {
		g.Expect(fut.Result(bound(t))).To(Equal(i))
	}
	t.Logf("the longest time without an outcome: %v", time.Duration(gap.Load()))
	all, different := executions(dir)
	g.Expect(different).To(Equal(200))
	g.Expect(all).To(Equal(200), "nothing is executed twice for a broker")
	f.Start(leader)
	g.Expect(square.Call(bound(t), f, 4)).To(Equal(16))
}

// TestBrokersThatComeBackEmptyCostTimeAlone has all three brokers of a fleet killed, emptied and started again.
func TestBrokersThatComeBackEmptyCostTimeAlone(t *testing.T) {
	t.Parallel()
	takes.Long(t)
	g := NewWithT(t)
	dir := t.TempDir() // before the fleet, so that it is removed after the fleet has ended
	f := fleettest.New(t, fleettest.Nodes(2), fleettest.Brokers(3), fleettest.OnDisk())
	var futures []*pool.Future[int]
	for n := range 200 {
		futures = append(futures, run.Submit(bound(t), f, work{dir, n, 20 * time.Millisecond}))
	}
	g.Eventually(func() int { all, _ := executions(dir); return all }).WithTimeout(time.Minute).
		Should(BeNumerically(">=", 20))
	for i := range 3 {
		f.Kill(fmt.Sprintf("broker-%d", i+1))
	}
	for i := range 3 {
		f.Forget(fmt.Sprintf("broker-%d", i+1))
		f.Start(fmt.Sprintf("broker-%d", i+1))
	}
	began := time.Now()
	for i, fut := range futures {
		g.Expect(fut.Result(bound(t))).To(Equal(i))
	}
	t.Logf("the last outcome came %v after the brokers were started", time.Since(began).Round(time.Millisecond))
	_, different := executions(dir)
	g.Expect(different).To(Equal(200))
	g.Expect(f.Stats().Repaired).To(BeNumerically(">=", 100), "most of them were in the queue, and nowhere else")
	g.Expect(f.Stats().Abandoned).To(BeZero())
}

// TestBrokersThatComeBackOlderCostTimeAlone has all brokers killed and started again with what they had stored a while
// ago: tasks that were stored since are lost to them, and others that have their outcome are there again.
func TestBrokersThatComeBackOlderCostTimeAlone(t *testing.T) {
	t.Parallel()
	takes.Long(t)
	for _, brokers := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d brokers", brokers), func(t *testing.T) {
			g := NewWithT(t)
			// before the fleet, so that they are removed after the fleet has ended
			dir, saved := t.TempDir(), t.TempDir()
			f := fleettest.New(t, fleettest.Nodes(2), fleettest.Brokers(brokers), fleettest.OnDisk())
			all := func(do func(name string)) {
				for i := range brokers {
					do(fmt.Sprintf("broker-%d", i+1))
				}
			}
			var futures []*pool.Future[int]
			submit := func(n int) {
				for range n {
					futures = append(futures, run.Submit(bound(t), f, work{dir, len(futures), 20 * time.Millisecond}))
				}
			}
			begun := func(n int) {
				t.Helper()
				g.Eventually(func() int { _, n := executions(dir); return n }).WithTimeout(time.Minute).
					Should(BeNumerically(">=", n))
			}
			submit(100)
			begun(10)
			all(func(name string) { f.Kill(name) })
			all(func(name string) { f.Save(name, saved+"/"+name) })
			all(f.Start)
			begun(60)
			submit(100)
			begun(70)
			all(func(name string) { f.Kill(name) })
			all(func(name string) { f.Restore(name, saved+"/"+name) })
			all(f.Start)
			began := time.Now()
			submit(50)
			for i, fut := range futures {
				g.Expect(fut.Result(bound(t))).To(Equal(i))
			}
			t.Logf("the last outcome came %v after the brokers were started", time.Since(began).Round(time.Millisecond))
			_, different := executions(dir)
			g.Expect(different).To(Equal(250))
		})
	}
}

// TestWhatCameFirstIsNotOvertakenByAllThatComesLater keeps a fleet busy. Its first tasks ask before they run, which
// later ones need not.
func TestWhatCameFirstIsNotOvertakenByAllThatComesLater(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	dir := t.TempDir() // before the fleet, so that it is removed after the fleet has ended
	f := fleettest.New(t, fleettest.Nodes(3), fleettest.Workers(1))
	todo, ended := make(chan int, 60), make(chan int, 60)
	for n := range 60 {
		todo <- n
	}
	close(todo)
	for range 6 {
		go func() {
			for n := range todo {
				_, _ = run.Call(bound(t), f, work{dir, n, 50 * time.Millisecond})
				ended <- n
			}
		}()
	}
	place := map[int]int{}
	for i := range 60 {
		place[<-ended] = i
	}
	for n := range 6 {
		g.Expect(place[n]).To(BeNumerically("<", 30), "task %d", n)
	}
}
