package pool

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/respawn-go/respawn/internal/inprocess"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/wire"
)

var foreignSquare = External[int, int]("square")

// foreignWays are what a played worker of another language can be. honest ones keep docs/wire.md and may die at any
// time.
var foreignWays = []string{
	"honest", "honest", "honest", "honest", "takes two", "takes none", "puts back", "forges", "tears", "answers twice",
	"answers another", "sends rubbish",
	"lies in its hello", "names a task twice", "is of another protocol",
}

// foreignSim is one run: a pool whose workers are played, with one seed.
type foreignSim struct {
	mu   sync.Mutex
	dice *rand.Rand
	heal bool           // all that is born is honest, and lives
	way  map[int]string // by pid
	runs map[int][]int  // the pids that executed each task, by its argument
}

func (s *foreignSim) roll(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dice.IntN(n)
}

// play is the life of a worker.
func (s *foreignSim) play(f *inprocess.Foreign) {
	way := foreignWays[s.roll(len(foreignWays))]
	s.mu.Lock()
	if s.heal {
		way = "healed"
	}
	s.way[f.PID()] = way
	s.mu.Unlock()
	w := &foreignWorker{Foreign: f, sim: s, way: way, atWork: make(chan struct{}, 1), dead: make(chan struct{})}
	defer close(w.dead)
	go func() {
		for {
			if f.ReadOrder().Kind == wire.ControlStop {
				select {
				case w.atWork <- struct{}{}: // until the answer is written
					f.Exit(0)
				case <-w.dead:
					return
				}
			}
		}
	}()
	w.serve()
}

type foreignWorker struct {
	*inprocess.Foreign
	sim    *foreignSim
	way    string
	atWork chan struct{} // full while a task runs
	dead   chan struct{}
	in     wire.Buffer
	ticket *uint32
}

// mayDie ends it now and then.
func (w *foreignWorker) mayDie() {
	if w.way != "healed" && w.sim.roll(40) == 0 {
		w.Die(syscall.SIGKILL)
	}
}

func (w *foreignWorker) serve() {
	for {
		var f wire.Frame
		switch ok, err := w.in.Next(&f); {
		case err != nil:
			panic(err)
		case !ok:
			w.in.Added(w.ReadTasks(w.in.Space(4096)))
			continue
		}
		w.mayDie()
		if f.Kind == wire.FrameHello {
			w.ready()
			continue
		}
		w.atWork <- struct{}{}
		if w.take(f.Seq) {
			w.execute(f)
		}
		<-w.atWork
	}
}

func (w *foreignWorker) ready() {
	<-time.After(time.Duration(w.sim.roll(50)) * time.Millisecond)
	r := wire.Ready{Protocol: wire.Protocol, PID: w.PID(), Tasks: []string{"other", "square"}}
	switch w.way {
	case "lies in its hello":
		r.PID++
	case "names a task twice":
		r.Tasks = []string{"square", "square"}
	case "is of another protocol":
		r.Protocol++
	}
	data, _ := json.Marshal(r)
	w.Answer(wire.AppendFrame(nil, &wire.Frame{Kind: wire.FrameReady, Payload: data}))
}

// take takes a ticket as docs/wire.md says, or as the worker's way is.
func (w *foreignWorker) take(seq uint32) bool {
	if w.way == "takes none" {
		return true
	}
	if w.ticket == nil {
		b := make([]byte, 4)
		switch w.way {
		case "takes two":
			b = make([]byte, 8)
		case "tears":
			b = make([]byte, 3)
		}
		n := w.Tickets.Take(b)
		if n < 4 {
			return n > 0
		}
		t := binary.LittleEndian.Uint32(b)
		w.ticket = &t
	}
	if *w.ticket != seq {
		return false
	}
	w.ticket = nil
	return true
}

func (w *foreignWorker) execute(f wire.Frame) {
	n, err := strconv.Atoi(string(f.Body()))
	if err != nil {
		panic(err)
	}
	w.sim.mu.Lock()
	w.sim.runs[n] = append(w.sim.runs[n], w.PID())
	w.sim.mu.Unlock()
	w.mayDie()
	if w.sim.roll(3) == 0 {
		<-time.After(time.Duration(w.sim.roll(20)) * time.Millisecond)
	}
	w.mayDie()
	switch w.way {
	case "puts back":
		w.Tickets.Put(binary.LittleEndian.AppendUint32(nil, f.Seq))
	case "forges":
		w.Tickets.Put(binary.LittleEndian.AppendUint32(nil, f.Seq+7))
	case "sends rubbish":
		w.Answer([]byte("an answer for people, in more words than a header has bytes"))
	}
	w.mayDie()
	a := wire.Frame{Kind: wire.FrameValue, ID: f.ID, Seq: f.Seq, Run: 1, Payload: fmt.Append(nil, n*n)}
	if w.way == "answers another" {
		a.Seq++
	}
	w.Answer(wire.AppendFrame(nil, &a))
	if w.way == "answers twice" {
		w.Answer(wire.AppendFrame(nil, &a))
	}
	w.mayDie()
}

var foreignSeeds = flag.Int("foreign-seeds", 100, "how many seeds the simulation of workers of another language plays")

// Whatever workers of another language do with their tickets, a task has one outcome and the right value; what is to
// run at most once does; those that do what they may are not killed for it; and once all do, everything works.
func TestSimulatedWorkersOfAnotherLanguageWhateverTheyDoWithTheirTickets(t *testing.T) {
	takes.Seconds(t)
	for seed := range *foreignSeeds {
		if !t.Run(strconv.Itoa(seed),
			func(t *testing.T) { synctest.Test(t, func(t *testing.T) { playForeign(t, uint64(seed)) }) }) {
			return
		}
	}
}

func playForeign(t *testing.T, seed uint64) {
	s := &foreignSim{dice: rand.New(rand.NewPCG(seed, 1)), way: map[int]string{}, runs: map[int][]int{}}
	workers := &inprocess.Workers{Foreign: s.play}
	cfg := Config{
		Size: 1 + s.roll(4), Command: []string{os.Args[0]}, Heartbeat: time.Second, TaskTimeout: 3 * time.Second,
		Budgets: Budgets{Crashes: 20, Killed: 20, OOM: 20},
		Backoff: Backoff{Threshold: 1000, Base: time.Millisecond, Max: 10 * time.Millisecond},
	}
	cfg.start = workers.Start
	p, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		p.Terminate()
		<-time.After(time.Minute) // whoever is dead has noticed by then
	}()
	events := p.Subscribe(1 << 16)
	const tasks = 60
	futures, once, cancelled := make([]*Future[int], tasks), make([]bool, tasks), make([]bool, tasks)
	for n := range tasks {
		var opts []Option
		if once[n] = s.roll(2) == 0; once[n] {
			opts = append(opts, WithDelivery(AtMostOnce))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if s.roll(4) == 0 {
			cancelled[n] = true
			time.AfterFunc(time.Duration(s.roll(30))*time.Millisecond, cancel)
		}
		futures[n] = foreignSquare.Submit(ctx, p, n, opts...)
		if s.roll(5) == 0 {
			<-time.After(time.Duration(s.roll(10)) * time.Millisecond)
		}
	}
	<-time.After(100 * time.Millisecond)
	s.mu.Lock()
	s.heal = true
	s.mu.Unlock()
	for n, f := range futures {
		v, err := f.Result(t.Context())
		var lost *WorkerLostError
		var late *TimeoutError // whose ticket was taken by one that forgot it
		if cancelled[n] && errors.Is(err, context.Canceled) {
			continue
		}
		if err == nil && v != n*n ||
			err != nil && !errors.As(err, &lost) && !(errors.As(err, &late) && s.played("takes two")) {
			t.Errorf("task %d: %d, %v", n, v, err)
		}
		s.judge(t, n, once[n])
	}
	for len(events.C) > 0 {
		if e := <-events.C; e.Kind == WorkerExited && (e.Reason == ReasonProtocol || e.Reason == ReasonStall) {
			if way := s.wayOf(e.Worker.PID); way == "honest" || way == "healed" {
				t.Errorf("an honest worker was ended: %v", e)
			}
		}
	}
	events.Close()
}

func (s *foreignSim) wayOf(pid int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way[pid]
}

func (s *foreignSim) played(way string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.way {
		if w == way {
			return true
		}
	}
	return false
}

// judge looks where a task that is settled has run.
func (s *foreignSim) judge(t *testing.T, n int, once bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.runs[n] {
		if way := s.way[pid]; way == "takes none" || way == "puts back" || way == "tears" || way == "takes two" {
			return // it hides what it runs
		}
	}
	if runs := len(s.runs[n]); once && runs > 1 {
		t.Errorf("task %d was to run at most once, and ran %d times, at %v", n, runs, s.runs[n])
	}
}
