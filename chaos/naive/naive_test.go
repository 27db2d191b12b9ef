package naive_test

import (
	"context"
	"encoding/json"
	"os"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/naive"
)

// serve knows two tasks: "seven", and "wait", which sleeps for a minute.
func serve(t chaos.Task, _ int) (json.RawMessage, error) {
	if t.Name == "wait" {
		<-time.After(time.Minute)
	}
	return json.RawMessage("7"), nil
}

func right(_ chaos.Task, value json.RawMessage) bool { return string(value) == "7" }

func TestMain(m *testing.M) {
	naive.Main(serve)
	os.Exit(m.Run())
}

func start(t *testing.T, bugs ...naive.Bug) (*naive.Pool, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	p, err := naive.New(2, bugs, right)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = p.Close() })
	return p, ctx
}

func pid(t *testing.T, p *naive.Pool, slot int) int {
	t.Helper()
	list, err := p.Members(t.Context())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, m := range list {
		if m.Slot == slot {
			return m.PID
		}
	}
	return 0
}

func TestCleanPoolReplacesAKilledWorkerAndEverySlotAnswers(t *testing.T) {
	g := NewWithT(t)
	p, ctx := start(t)
	old := pid(t, p, 0)
	g.Expect(syscall.Kill(old, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() int { return pid(t, p, 0) }).WithTimeout(20 * time.Second).ShouldNot(Or(Equal(0), Equal(old)))
	for slot := range 2 {
		who, err := p.Probe(ctx, slot)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(who).To(Equal(pid(t, p, slot)))
	}
	g.Expect(p.Do(ctx, chaos.Task{Name: "seven"}).Outcome).To(Equal(history.OK))
}

func TestBusyWorkersTaskIsRunAgainUnlessItIsDropped(t *testing.T) {
	for _, bugs := range [][]naive.Bug{nil, {naive.DropsInFlight}} {
		g := NewWithT(t)
		p, ctx := start(t, bugs...)
		short, cancel := context.WithCancel(ctx)
		done := make(chan chaos.Settled, 1)
		go func() { done <- p.Do(short, chaos.Task{Name: "wait"}) }()
		busy := func() (slot int) {
			list, _ := p.Members(ctx)
			for _, m := range list {
				if m.Busy() {
					return m.Slot
				}
			}
			return -1
		}
		g.Eventually(busy).Should(BeNumerically(">=", 0))
		slot := busy()
		old := pid(t, p, slot)
		g.Expect(syscall.Kill(old, syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() int { return pid(t, p, slot) }).WithTimeout(20 * time.Second).ShouldNot(Or(Equal(0), Equal(old)))
		if bugs == nil {
			g.Eventually(busy).Should(BeNumerically(">=", 0))
		} else {
			g.Consistently(busy).WithTimeout(200 * time.Millisecond).Should(Equal(-1))
		}
		cancel()
		g.Expect((<-done).Outcome).To(Equal(history.Hung))
	}
}

// Close ends workers that take the place of dead ones just then.
func TestCloseEndsWorkersThatAreBeingStarted(t *testing.T) {
	for range 10 {
		g := NewWithT(t)
		p, _ := start(t)
		died := make(chan bool, 8)
		p.Watch(func(m history.Member) {
			if m.Op == "exited" {
				died <- true
			}
		})
		for slot := range 2 {
			g.Expect(syscall.Kill(pid(t, p, slot), syscall.SIGKILL)).To(Succeed())
		}
		<-died
		closed := make(chan error)
		go func() { closed <- p.Close() }()
		g.Eventually(closed).WithTimeout(20 * time.Second).Should(Receive(BeNil()))
		list, err := p.Members(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		for _, m := range list {
			g.Expect(syscall.Kill(m.PID, 0)).To(MatchError(syscall.ESRCH))
		}
	}
}
