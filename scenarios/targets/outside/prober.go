package outside

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/wait"
)

// A pool of somebody else's gives a task to whichever worker it likes. So a slot is probed by short tasks that overlap,
// as many at a time as there are slots, until the process that is in the slot has answered one. A task of the load that
// it answers counts as well.
//
// A probing task is a submission, and some pools start workers, or look into their queue, only when something is
// submitted: it would revive one that is dead, and hide that it hung. So none is sent while the load itself gives every
// worker work.
type prober struct {
	life   context.Context // of the target
	roster *roster
	lanes  int
	send   func(context.Context) (pid int, err error) // runs one short task
	load   atomic.Int64                               // tasks of the load that have no outcome yet

	mu      sync.Mutex
	waiting map[*probing]bool
	sending int       // tasks on their way that have not been given up
	failing time.Time // since when every task fails; zero: the last one did not
}

// probing is one probe.
type probing struct {
	slot  int
	ended chan struct{}
	pid   int
	err   error
}

const (
	// probeLate is when a probing task counts as lost, and another is sent in its place.
	probeLate = time.Second
	// probeQuiet is how long an empty slot is left alone for the pool to fill it. A pool that is idle when its worker
	// is killed stays idle meanwhile: some break only then. One that replaces workers only when there is work to do is
	// given some after that.
	probeQuiet = 500 * time.Millisecond
	// probeFailing is how long every task must have failed before a probe fails with that error.
	probeFailing = time.Second
	probePause   = 20 * time.Millisecond
)

// probe waits until the process that is in the slot has answered a task. The error is what the pool says to every task,
// or that nobody answered before ctx ended.
func (p *prober) probe(ctx context.Context, slot int) (int, error) {
	for quiet := time.Now().Add(probeQuiet); p.roster.occupant(slot) == 0 && time.Now().Before(quiet); {
		if err := wait.For(ctx, 2*time.Millisecond); err != nil {
			return 0, fmt.Errorf("there is no process in slot %d: %w", slot, err)
		}
	}
	w := &probing{slot: slot, ended: make(chan struct{})}
	p.mu.Lock()
	if p.waiting == nil {
		p.waiting = map[*probing]bool{}
	}
	p.waiting[w] = true
	p.mu.Unlock()
	p.top()
	select {
	case <-w.ended:
		return w.pid, w.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, w)
	if w.pid != 0 || w.err != nil {
		return w.pid, w.err
	}
	if pid := p.roster.occupant(slot); pid != 0 {
		return 0, fmt.Errorf("process %d in slot %d has answered nothing: %w", pid, slot, ctx.Err())
	}
	return 0, fmt.Errorf("there is no process in slot %d: %w", slot, ctx.Err())
}

// top keeps as many tasks on their way as there are slots while somebody waits.
func (p *prober) top() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; len(p.waiting) > 0 && p.sending < p.lanes && p.life.Err() == nil; p.sending++ {
		go p.lane()
	}
}

// needless tells whether more tasks of the load wait than there are workers: a pool that is alive is at work on them.
func (p *prober) needless() bool { return p.load.Load() > int64(p.roster.living()) }

// lane sends one task and takes its answer, and begins again while somebody waits.
func (p *prober) lane() {
	if p.needless() {
		_ = wait.For(p.life, probePause)
	} else {
		p.one()
	}
	p.mu.Lock()
	p.sending--
	p.mu.Unlock()
	p.top()
}

// one sends one task and takes its answer.
func (p *prober) one() {
	send, cancel := context.WithTimeout(p.life, probeLate)
	pid, err := p.send(send)
	cancel()
	switch {
	case err == nil:
		p.answered(pid)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
	default:
		p.failed(err)
		_ = wait.For(p.life, probePause)
	}
}

// answered tells the probes that this process has answered a task just now.
func (p *prober) answered(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = time.Time{}
	if len(p.waiting) == 0 {
		return
	}
	if !p.roster.Knows(pid) {
		p.roster.lookNow()
		return
	}
	for w := range p.waiting {
		if p.roster.occupant(w.slot) == pid {
			w.pid = pid
			p.end(w)
		}
	}
}

// failed ends the probes once nothing but errors has come for a while.
func (p *prober) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing.IsZero() {
		p.failing = time.Now()
	}
	if time.Since(p.failing) < probeFailing {
		return
	}
	for w := range p.waiting {
		w.err = err
		p.end(w)
	}
}

func (p *prober) end(w *probing) {
	delete(p.waiting, w)
	close(w.ended)
}

// Loaded tells that a task of the load is on its way, until what it returns is called.
func (o *Pool) Loaded() (settled func()) {
	o.prober.load.Add(1)
	return func() { o.prober.load.Add(-1) }
}

// Answered tells that this process has answered a task of the load just now: that counts as the answer to a probe of
// its slot.
func (o *Pool) Answered(pid int) { o.prober.answered(pid) }
