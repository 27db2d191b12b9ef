//go:build linux

package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// pool hands tasks to workers, one at a time to each, runs those again whose worker died, and replaces the dead. One
// goroutine owns it: everything else reaches it through do.
//
// The function fields are its joints. They are set to the methods of the same names, and a switch puts something else
// in their place.
type pool struct {
	size    int
	can     []string // what it says that it can
	witness string
	say     func(message) // writes a line to the harness

	queue   []*task
	workers []*worker        // by slot; nil while it is empty
	alive   map[*worker]bool // those that are still starting too
	deaths  int
	turns   int // tasks handed out
	closing bool
	events  chan func()

	admit    func(*task)             // takes a task that was submitted
	capacity func() int              // how many tasks may run at once
	choose   func(*task) *worker     // an idle worker for the task, nil for none now
	run      func(*worker, *task)    // has the worker run the task
	begun    func(*worker)           // the worker says that it begins one, if the job has it tell
	answer   func(int, *task, any)   // tells the outcome, a value or an error, and names the process
	rescue   func(*worker, *task)    // what becomes of the task of a dead worker
	reap     func(*worker)           // takes the dead worker's status
	replace  func(*worker)           // puts another into the slot of a dead one
	seated   func(*worker)           // a worker is in its slot
	traits   func(slot int) []string // what is wrong with a worker that is started
	list     func() []int            // the living workers
	stop     func()                  // ends the pool

	bent    []string           // the switches that are on
	helpers []int              // living processes that stand for workers and are none
	lent    map[uint64]*worker // by task, whose it is that another worker runs
}

// task is one that was submitted.
type task struct {
	job
	probe bool // by its length, one of the harness's own
}

// length is how long it takes.
func (j job) length() time.Duration { return time.Duration(j.MS) * time.Millisecond }

// worker is one process. It is idle without a task.
type worker struct {
	slot  int
	heir  bool // it replaces one that died
	pid   int
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	task  *task
	last  *task // that it finished
	turn  int   // when it was last given one
	tasks int   // that it finished
	ready bool
}

func newPool(say func(message)) *pool {
	p := &pool{
		say: say, can: []string{"workers", "pid", "witness"}, alive: map[*worker]bool{}, lent: map[uint64]*worker{},
		events: make(chan func()),
	}
	p.admit = func(t *task) { p.queue = append(p.queue, t) }
	p.capacity = func() int { return p.size }
	p.choose = func(*task) *worker { return p.idle(func(*worker) bool { return true }) }
	p.run = func(w *worker, t *task) { w.send(t.job) }
	p.begun = func(*worker) {}
	p.answer = p.settle
	p.rescue = func(_ *worker, t *task) { p.queue = slices.Insert(p.queue, 0, t) }
	p.reap = func(w *worker) { _ = w.cmd.Wait() }
	p.replace = func(w *worker) { p.start(w.slot, true) }
	p.seated = func(*worker) {}
	p.traits = func(int) []string { return nil }
	p.list = func() []int { return p.pids(func(*worker) bool { return true }) }
	p.stop = p.end
	return p
}

// loop is the goroutine that owns the pool.
func (p *pool) loop() {
	for f := range p.events {
		f()
		p.dispatch()
	}
}

// do has the owner call f, and waits until it has taken it. The owner itself must not call it.
func (p *pool) do(f func()) { p.events <- f }

// after has the owner call f later.
func (p *pool) after(d time.Duration, f func()) { time.AfterFunc(d, func() { p.do(f) }) }

// boot starts all workers.
func (p *pool) boot(size int) {
	p.size, p.workers = size, make([]*worker, size)
	for slot := range p.workers {
		p.start(slot, false)
	}
}

// start starts a worker for the slot; it is in its place once it says that it is ready.
func (p *pool) start(slot int, heir bool) *worker {
	w := &worker{
		slot: slot, heir: heir, cmd: exec.Command("/proc/self/exe", append([]string{"worker"}, p.traits(slot)...)...),
	}
	w.cmd.Stderr = os.Stderr
	w.in, _ = w.cmd.StdinPipe()
	w.out, _ = w.cmd.StdoutPipe()
	if err := w.cmd.Start(); err != nil {
		panic(err)
	}
	w.pid = w.cmd.Process.Pid
	p.alive[w] = true
	go p.listen(w)
	return w
}

// listen takes what a worker says, until its end.
func (p *pool) listen(w *worker) {
	for out := json.NewDecoder(w.out); ; {
		var r reply
		if err := out.Decode(&r); err != nil {
			p.do(func() { p.bury(w) })
			return
		}
		p.do(func() { p.hear(w, r) })
	}
}

// hear takes one reply.
func (p *pool) hear(w *worker, r reply) {
	if !w.ready {
		w.ready = true
		p.seat(w)
		return
	}
	if r.Begins {
		p.begun(w)
		return
	}
	if holder := p.lent[r.Task]; holder != nil {
		delete(p.lent, r.Task)
		if holder.task != nil && holder.task.Task == r.Task {
			p.done(holder, holder.task, holder.pid, r.Value)
		}
		return
	}
	if w.task != nil && w.task.Task == r.Task {
		p.done(w, w.task, w.pid, r.Value)
	}
}

// done frees a worker of its task and answers it.
func (p *pool) done(w *worker, t *task, pid int, value int64) {
	if w.task == t {
		w.task, w.last = nil, t
		w.tasks++
	}
	p.answer(pid, t, value)
}

// seat puts a worker into its slot.
func (p *pool) seat(w *worker) {
	for len(p.workers) <= w.slot {
		p.workers = append(p.workers, nil)
	}
	p.workers[w.slot] = w
	p.seated(w)
}

// bury is what follows a death.
func (p *pool) bury(w *worker) {
	delete(p.alive, w)
	p.reap(w)
	if p.closing {
		return
	}
	p.deaths++
	if w.slot < len(p.workers) && p.workers[w.slot] == w {
		p.workers[w.slot] = nil
	}
	p.replace(w)
	if t := w.task; t != nil {
		w.task = nil
		p.rescue(w, t)
	}
}

// dispatch gives tasks to idle workers.
func (p *pool) dispatch() {
	for len(p.queue) > 0 && !p.closing && p.running() < p.capacity() {
		w := p.choose(p.queue[0])
		if w == nil {
			return
		}
		p.give(w)
	}
}

// give has a worker run the first task of the queue.
func (p *pool) give(w *worker) {
	t := p.queue[0]
	p.queue = p.queue[1:]
	p.turns++
	w.task, w.turn = t, p.turns
	p.run(w, t)
}

// idle is a worker that has no task and may have one: of several the one that waits longest.
func (p *pool) idle(may func(*worker) bool) (found *worker) {
	for _, w := range p.workers {
		if w != nil && w.task == nil && may(w) && (found == nil || w.turn < found.turn) {
			found = w
		}
	}
	return found
}

func (p *pool) running() (n int) {
	for _, w := range p.workers {
		if w != nil && w.task != nil {
			n++
		}
	}
	return n
}

// send hands a worker a job. One that is dying does not take it: then its task is rescued.
func (w *worker) send(j job) { _ = json.NewEncoder(w.in).Encode(j) }

// settle tells the outcome of a task.
func (p *pool) settle(pid int, t *task, outcome any) {
	m := message{Op: "result", ID: &t.Task, PID: pid}
	switch v := outcome.(type) {
	case error:
		m.Op, m.Error, m.PID = "error", v.Error(), 0
	case int64:
		m.Value = &v
	}
	p.say(m)
}

// pids are those of the workers that are ready and may be listed.
func (p *pool) pids(may func(*worker) bool) []int {
	pids := []int{}
	for _, w := range p.workers {
		if w != nil && may(w) {
			pids = append(pids, w.pid)
		}
	}
	return pids
}

// whole tells whether every slot has a worker.
func (p *pool) whole() bool { return !slices.Contains(p.workers, nil) }

// end ends every worker.
func (p *pool) end() {
	p.closing = true
	for w := range p.alive {
		_ = w.cmd.Process.Kill()
		_, _ = w.cmd.Process.Wait()
	}
}
