package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// start is a broker, an owner and a node in this process.
func start(t *testing.T, c fleet.Config, size int) *fleet.Fleet {
	t.Helper()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(b.Close()).To(Succeed()) })
	c.Fleet, c.Options, c.InMemory = "test", b.Options(), true
	serve(t, fleet.Node{Fleet: "test", Options: b.Options(), Name: "here", Pool: pool.Config{Size: size}})
	return dial(t, c)
}

// serve is a node in this process, until the test is over.
func serve(t *testing.T, n fleet.Node) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- fleet.Serve(ctx, n) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			NewWithT(t).Expect(<-over).To(Succeed())
		}
	}
	t.Cleanup(stop)
	return stop
}

// listening is a broker that other processes reach, for tests that start nodes as processes.
func listening(t *testing.T) *broker.Broker {
	t.Helper()
	takes.Seconds(t)
	b, err := broker.Start(broker.Config{Port: -1})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// node is a node in a process of its own.
func node(t *testing.T, servers, name string, size int) *exec.Cmd {
	t.Helper()
	g := NewWithT(t)
	arg, err := json.Marshal(settings{"test", servers, name, size})
	g.Expect(err).NotTo(HaveOccurred())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envNode+"="+string(arg))
	cmd.Stderr = os.Stderr
	g.Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func alive(f *fleet.Fleet) func() int {
	return func() (n int) {
		for _, info := range f.Nodes() {
			if info.State == "alive" {
				n++
			}
		}
		return n
	}
}

func TestAFleetInOneProcessDoesWhatAPoolDoes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	f := start(t, fleet.Config{}, 2)
	g.Expect(square.Call(bound(t), f, 7)).To(Equal(49))
	in := make([]int, 500)
	want := make([]int, len(in))
	for i := range in {
		in[i], want[i] = i, i*i
	}
	g.Expect(square.Map(bound(t), f, in)).To(Equal(want))
	n := 0
	for v, err := range square.Stream(bound(t), f, pool.Slice(in)) {
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v).To(Equal(n * n))
		n++
	}
	g.Expect(n).To(Equal(len(in)))
	for _, size := range []int{500 << 10, 1 << 20, 20 << 20} { // the broker carries a mebibyte
		big := bytes.Repeat([]byte{7}, size)
		got, err := echo.Call(bound(t), f, big)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(bytes.Equal(got, big)).To(BeTrue(), "%d bytes", size)
	}

	_, err := fail.Call(bound(t), f, "own")
	var handler *pool.HandlerError
	g.Expect(errors.As(err, &handler)).To(BeTrue())
	g.Expect(err).To(MatchError(errOwn))
	_, err = fail.Call(bound(t), f, "panic")
	var panicked *pool.PanicError
	g.Expect(errors.As(err, &panicked)).To(BeTrue())
	_, err = die.Call(bound(t), f, 0)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(3))
	_, err = nap.Call(bound(t), f, time.Hour, pool.WithTimeout(50*time.Millisecond))
	var timeout *pool.TimeoutError
	g.Expect(errors.As(err, &timeout)).To(BeTrue(), "%v", err)

	ctx, cancel := context.WithTimeout(bound(t), 50*time.Millisecond)
	defer cancel()
	_, err = nap.Call(ctx, f, time.Hour)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(square.Call(bound(t), f, 3, pool.WithDelivery(pool.AtMostOnce))).To(Equal(9), "the worker is free again")
	g.Expect(f.Drain(bound(t))).To(Succeed())
	_, err = square.Call(bound(t), f, 7)
	g.Expect(err).To(MatchError(pool.ErrClosed))
}

func TestTasksOfANodeThatIsKilledRunElsewhere(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "runs")
	b := listening(t)
	f := dial(t, fleet.Config{Fleet: "test", Servers: b.URL()})
	first := node(t, b.URL(), "first", 4)
	g.Eventually(alive(f)).WithTimeout(patience).Should(Equal(1))
	var futures []*pool.Future[int]
	for i := range 4 {
		futures = append(futures, run.Submit(bound(t), f, work{N: i, Path: path, Length: 500 * time.Millisecond}))
	}
	once := run.Submit(bound(t), f, work{N: 9, Path: path, Length: time.Hour}, pool.WithDelivery(pool.AtMostOnce))
	g.Eventually(func() int { return len(lines(path)) }).WithTimeout(patience).Should(BeNumerically(">=", 4))
	second := node(t, b.URL(), "second", 8)
	g.Eventually(alive(f)).WithTimeout(patience).Should(Equal(2))
	g.Expect(first.Process.Kill()).To(Succeed())
	for _, fut := range futures {
		g.Expect(fut.Result(bound(t))).To(Or(Equal(first.Process.Pid), Equal(second.Process.Pid)))
	}
	_, err := once.Result(bound(t))
	if err != nil { // it had begun where the kill was, or had not been granted yet and runs on
		var lost *pool.WorkerLostError
		g.Expect(errors.As(err, &lost)).To(Or(BeTrue(), Equal(errors.Is(err, context.DeadlineExceeded))), "%v", err)
	}
	count := map[string]int{}
	for _, l := range lines(path) {
		count[strings.Fields(l)[0]]++
	}
	g.Expect(count["9"]).To(BeNumerically("<=", 1), "at most once")
}

func lines(path string) []string {
	data, _ := os.ReadFile(path)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func TestAHostKillerEndsAndTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "runs")
	b := listening(t)
	f := dial(t, fleet.Config{Fleet: "test", Servers: b.URL(), Budgets: pool.Budgets{Nodes: 3}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	go func() { // a supervisor that brings a node back under its name
		defer close(over)
		for i := 0; ctx.Err() == nil; i++ {
			cmd := node(t, b.URL(), "only", 2)
			dead := make(chan struct{})
			go func() {
				_, _ = cmd.Process.Wait()
				close(dead)
			}()
			select {
			case <-dead:
			case <-ctx.Done():
			}
		}
	}()
	killer := run.Submit(bound(t), f, work{N: 1, Path: path, KillHost: true, Length: time.Hour})
	var good []*pool.Future[int]
	for i := range 20 {
		good = append(good, run.Submit(bound(t), f, work{N: 10 + i, Path: path, Length: 20 * time.Millisecond}))
	}
	_, err := killer.Result(bound(t))
	var lost *pool.WorkerLostError
	var exit *fleet.NodeExit
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(errors.As(err, &exit)).To(BeTrue())
	g.Expect(exit.Name).To(Equal("only"))
	g.Expect(exit.Proven).To(BeTrue())
	for _, fut := range good {
		_, err := fut.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
	}
	cancel()
	<-over
}

func TestADrainedNodeCostsNoAttempt(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "runs")
	b := listening(t)
	f := dial(t, fleet.Config{Fleet: "test", Servers: b.URL()})
	first := node(t, b.URL(), "first", 2)
	g.Eventually(alive(f)).WithTimeout(patience).Should(Equal(1))
	var futures []*pool.Future[int]
	for i := range 40 {
		futures = append(futures, run.Submit(bound(t), f, work{N: i, Path: path, Length: 30 * time.Millisecond}))
	}
	g.Eventually(func() int { return len(lines(path)) }).WithTimeout(patience).Should(BeNumerically(">=", 5))
	g.Expect(first.Process.Signal(syscall.SIGTERM)).To(Succeed())
	node(t, b.URL(), "second", 2)
	for _, fut := range futures {
		_, err := fut.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(fut.Outcome().Attempts).To(Equal(1))
	}
	g.Expect(lines(path)).To(HaveLen(40), "each ran once")
}

func TestTasksSurviveABrokerThatComesBackWithoutThem(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b := listening(t)
	url := b.URL()
	c := fleet.Config{Fleet: "test", Servers: url, InMemory: true}
	f := dial(t, c)
	node(t, url, "first", 2)
	g.Eventually(alive(f)).WithTimeout(patience).Should(Equal(1))
	before := stream(t, c).Config.Subjects
	var futures []*pool.Future[int]
	for range 100 {
		futures = append(futures, nap.Submit(bound(t), f, 50*time.Millisecond))
	}
	g.Expect(b.Close()).To(Succeed())
	var port int
	_, err := fmt.Sscanf(url, "nats://127.0.0.1:%d", &port)
	g.Expect(err).NotTo(HaveOccurred())
	again, err := broker.Start(broker.Config{Port: port})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = again.Close() }()
	for _, fut := range futures {
		_, err := fut.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(stream(t, c).Config.Subjects).NotTo(Equal(before),
		"what is on its way to a queue that is gone must not come into the next")
	g.Expect(f.Close()).To(Succeed())
}

// TestAQueueThatNobodyHandsOutIsMadeWhole takes the consumer away from a stream that stays.
func TestAQueueThatNobodyHandsOutIsMadeWhole(t *testing.T) {
	t.Parallel()
	takes.Long(t) // until the owner misses its task
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{Port: -1, Monitor: -1})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	c := fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true}
	f := dial(t, c)
	node(t, b.URL(), "first", 1)
	g.Expect(square.Call(bound(t), f, 2)).To(Equal(4))
	nc, err := nats.Connect(b.URL())
	g.Expect(err).NotTo(HaveOccurred())
	defer nc.Close()
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	consumer := "default-" + stream(t, c).Config.Metadata["respawn"]
	g.Expect(js.DeleteConsumer(bound(t), "test", consumer)).To(Succeed())
	before, began := messages(t, b), time.Now()
	g.Expect(square.Call(bound(t), f, 3)).To(Equal(9))
	g.Expect(float64(messages(t, b)-before)/time.Since(began).Seconds()).To(BeNumerically("<", 150),
		"who finds no queue asks for it some times a second")
}

// messages are how many have come to a broker.
func messages(t *testing.T, b *broker.Broker) int64 {
	t.Helper()
	g := NewWithT(t)
	r, err := http.Get(b.MonitorURL() + "/varz")
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Body.Close()
	var v struct {
		InMsgs int64 `json:"in_msgs"`
	}
	g.Expect(json.NewDecoder(r.Body).Decode(&v)).To(Succeed())
	return v.InMsgs
}

func TestWhatIsWrongWithABrokerIsSaidInOneSentence(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	_, err := fleet.Dial(bound(t), fleet.Config{Fleet: "a.b"})
	g.Expect(err).To(MatchError(ContainSubstring(`Config.Fleet is "a.b": want 1 to 32 letters`)))
	_, err = fleet.Dial(bound(t), fleet.Config{Fleet: "test", Servers: "nats://127.0.0.1:1"})
	g.Expect(err).To(MatchError(ContainSubstring("no broker at nats://127.0.0.1:1: start one")))
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = b.Close() }()
	f := dial(t, fleet.Config{Fleet: "test", Options: b.Options(), NoNodes: time.Second})
	_, err = square.Call(bound(t), f, 7)
	g.Expect(err).To(MatchError(fleet.ErrNoNodes))
	_, err = square.Call(bound(t), f, 7, pool.OnSlot(1))
	g.Expect(err).To(MatchError(pool.ErrNoSuchSlot))
}

func TestANodesWorkersMayBeOfAnotherLanguage(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("there is no python3 here: %v", err)
	}
	script, err := filepath.Abs("../pool/testdata/worker.py")
	g.Expect(err).NotTo(HaveOccurred())
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	serve(t, fleet.Node{Fleet: "test", Options: b.Options(), Name: "python", Pool: pool.Config{
		Size: 1, Command: []string{strings.TrimSpace(string(python)), script},
		Env: []string{"PYTHONPATH=../workers/python", "PYTHONDONTWRITEBYTECODE=1"},
	}})
	f := dial(t, fleet.Config{Fleet: "test", Options: b.Options(), InMemory: true})
	g.Expect(pySquare.Call(bound(t), f, 7)).To(Equal(49))
}
