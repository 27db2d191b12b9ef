package pool

import (
	"runtime"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// A write to a socket and the waking of its reader cost more than tens of small tasks, so submissions that come close
// together should travel together, while one that comes alone should not wait. Two signs tell that more are coming: the
// last few came within a write's time of each other, or several callers were just given their results and are about to
// be back. Then calls stay in the queue until the goroutines that are ready to run have had their turn.
const (
	rapid     = 5 * time.Microsecond
	rapidRun  = 8                    // so many submissions in a row, each within rapid of the one before
	tinyTask  = 5 * time.Microsecond // tasks under this are better held for a worker that is about to answer
	holdUnder = 32                   // more than so many are not held back
)

// holdBusy is how many workers must be about to answer before tiny tasks are held for them: half as many as there are
// processors, since the parent needs its share of those.
var holdBusy = max(1, runtime.GOMAXPROCS(0)/2)

// pace decides who dispatches a call that was just queued while workers are idle. Pool.mu is held.
func (p *Pool) pace() {
	at := wire.Now()
	if at-p.lastSubmit < rapid {
		p.rapid++
	} else {
		p.rapid = 0
	}
	if p.caller != nil && p.live == 1 && at-p.lastSubmit < loneGap {
		p.lone++
	} else {
		p.lone = 0
	}
	p.lastSubmit = at
	switch {
	case p.hold():
	case p.rapid < rapidRun:
		p.dispatch()
	default:
		p.gather()
	}
}

// gather leaves the queue to the dispatcher's goroutine. Pool.mu is held.
func (p *Pool) gather() {
	p.gathering = true
	select {
	case p.dispatchKick <- struct{}{}:
	default:
	}
}

// hold leaves a short queue of tiny tasks to the next worker that answers, and to the keeper should that take long. It
// reports whether it did. Pool.mu is held.
func (p *Pool) hold() bool {
	if p.busy-p.slow < holdBusy || p.cost >= tinyTask || p.queue.live >= holdUnder {
		return false
	}
	if !p.held {
		p.held, p.heldAt = true, wire.Now()
		if p.keeperNext.After(time.Now().Add(2 * keeperTick)) {
			p.keeperWake()
		}
	}
	return true
}

// dispatchQueue gives gathered calls to idle workers, until the pool has stopped.
func (p *Pool) dispatchQueue() {
	for {
		select {
		case <-p.dispatchKick:
			runtime.Gosched() // behind everything that is ready to run: the callers that are coming back
			p.mu.Lock()
			p.gathering = false
			if !p.hold() {
				p.dispatch()
			}
			p.unlock()
		case <-p.stopped:
			return
		}
	}
}
