package pool_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	guards "github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	"github.com/onsi/gomega/gleak"

	. "github.com/onsi/gomega"
)

// noLeaks notes what this process has, and returns a check that it has no more goroutines, files and children than
// that.
func noLeaks(t *testing.T) (check func()) {
	t.Helper()
	goroutines, files, had := gleak.Goroutines(), openFiles(), len(children())
	return func() {
		t.Helper()
		g := NewWithT(t)
		g.Eventually(gleak.Goroutines).WithTimeout(patience).ShouldNot(gleak.HaveLeaked(goroutines))
		g.Eventually(openFiles).WithTimeout(patience).Should(BeNumerically("<=", files), "open files")
		g.Eventually(func() int { return len(children()) }).WithTimeout(patience).Should(BeNumerically("<=", had),
			"children")
	}
}

// watchLeaks checks after all tests that nothing of any of them is left.
func watchLeaks(run func() int) (code int) {
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has files of its own from the first one on
		r.Close()
		w.Close()
	}
	goroutines, files, had := gleak.Goroutines(), openFiles(), children()
	if code = run(); code != 0 {
		return code // what failed has left what it pleased
	}
	g := NewGomega(func(message string, _ ...int) {
		fmt.Printf("--- FAIL: after all tests:\n%s\n", message)
		code = 1
	})
	real := func() []gleak.Goroutine {
		// a simulation looks for what it leaves by itself, and with a mutant there is some
		return slices.DeleteFunc(gleak.Goroutines(),
			func(r gleak.Goroutine) bool { return strings.Contains(r.State, "synctest bubble") })
	}
	g.Eventually(real).WithTimeout(patience).ShouldNot(gleak.HaveLeaked(goroutines))
	g.Eventually(openFiles).WithTimeout(patience).Should(BeNumerically("<=", files), "open files")
	g.Eventually(children).WithTimeout(patience).Should(ConsistOf(had), "children")
	return code
}

// besides are the tests that run beside others, by name.
var besides sync.Map

// beside lets a test that mostly waits run beside others like it, after all the rest. Files and goroutines cannot be
// told apart then: what is left of them is looked for after all tests, and start looks for processes of its own pool
// only.
func beside(t *testing.T) {
	t.Helper()
	besides.Store(t.Name(), true)
	t.Parallel()
}

func isBeside(t *testing.T) bool {
	top, _, _ := strings.Cut(t.Name(), "/")
	_, ok := besides.Load(top)
	return ok
}

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// Stress starts things and ends them, many at once and each by several goroutines at once and more than once, and
// then checks that nothing of them is left. begin returns what ends one thing, each of which must return in any order.
func Stress(t *testing.T, begin func(i int) (ends []func())) {
	t.Helper()
	check := noLeaks(t)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			var ending sync.WaitGroup
			for range 2 {
				for _, end := range begin(i) {
					ending.Go(end)
					ending.Go(end)
				}
			}
			ending.Wait()
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	NewWithT(t).Eventually(done).WithTimeout(patience).Should(BeClosed(), "an end that does not return")
	check()
}

func TestPoolsStartAndEndInAnyOrder(t *testing.T) {
	takes.Seconds(t)
	Stress(t, func(i int) []func() {
		p, err := pool.New(t.Context(), pool.Config{Size: 1 + i%3, Spares: i % 2})
		if err != nil {
			t.Error(err)
			return nil
		}
		var futures []*pool.Future[int]
		for range 20 {
			futures = append(futures, sleep.Submit(t.Context(), via(p), time.Millisecond))
		}
		events := p.Subscribe(10)
		return []func(){
			func() { _ = p.Close() },
			p.Terminate,
			func() { _ = p.Resize(1 + i%4) },
			func() { _ = p.Restart(t.Context()) },
			func() { _ = p.Drain(t.Context()) },
			events.Close,
			func() { p.Subscribe(1).Close(); p.Workers(); p.Stats() },
			func() {
				for _, f := range futures {
					_, _ = f.Result(t.Context())
				}
			},
		}
	})
}

func TestPoolsThatAreGivenUpWhileTheyBootLeaveNothing(t *testing.T) {
	Stress(t, func(i int) []func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		p, err := pool.New(ctx, pool.Config{Size: 2, Spares: 1})
		cancel()
		if err != nil {
			return nil
		}
		return []func(){p.Terminate}
	})
}

func TestGuardiansStartAndEndInAnyOrder(t *testing.T) {
	Stress(t, func(i int) []func() {
		guardian, err := guards.Start("0123456789abcdef", nil)
		if err != nil {
			t.Error(err)
			return nil
		}
		return []func(){
			func() { _ = guardian.Close() },
			func() { _ = guardian.Watch(1<<22-1-i, "") },
			func() { guardian.Forget(1<<22 - 1 - i) },
			func() { guardian.PID() },
			func() {
				if done, err := guardian.Undo("/does/not/exist", "1"); err == nil {
					done()
				}
			},
		}
	})
}

func TestSubscriptionsStartAndEndInAnyOrder(t *testing.T) {
	p := start(t, pool.Config{Size: 2})
	Stress(t, func(i int) []func() {
		s := p.Subscribe(i)
		return []func(){
			s.Close,
			func() {
				for e := range s.C {
					_ = e
				}
			},
			func() { s.Dropped() },
		}
	})
}

func TestStreamsThatAreLeftEarlyLeaveNothing(t *testing.T) {
	takes.Seconds(t)
	p := start(t, pool.Config{Size: 2})
	whole(t, p)
	endless := func(yield func(int, error) bool) {
		for i := 0; yield(i, nil); i++ {
		}
	}
	Stress(t, func(i int) []func() {
		leave := func(ordered bool) func() {
			return func() {
				n := 0
				stream := square.StreamUnordered
				if ordered {
					stream = square.Stream
				}
				for range stream(t.Context(), p, endless) {
					if n++; n > 5*i {
						break
					}
				}
			}
		}
		return []func(){leave(true), leave(false)}
	})
}

// descendants lists the living processes that carry the pool's marker. Zombies count as gone.
func descendants(id string) []int { return processesWith("RESPAWN_POOL=" + id) }

// processesWith lists the processes that were started with the variable.
func processesWith(variable string) (pids []int) {
	marker := []byte(variable)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		for kv := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(kv, marker) && isAlive(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// procState is the state letter of /proc/PID/stat, "" when there is no such process.
func procStateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fields[0]
}

func isAlive(pid int) bool {
	s := procStateOf(pid)
	return s != "" && s != "Z" && s != "X"
}

// children lists this process's children, dead or alive.
func children() (pids []int) { return childrenOf(os.Getpid()) }

func childrenOf(parent int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombies lists this process's children that are dead and not reaped.
func zombies() (pids []int) {
	for _, pid := range children() {
		if procStateOf(pid) == "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}
