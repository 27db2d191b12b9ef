package pool

import (
	"runtime"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// A write to a socket and the waking of its reader cost more than tens of small tasks, so submissions that come close
// together should travel together, while one that comes alone should not wait. Two signs tell that more are coming: the
// last few came within a write's time of each other, or several callers were just given their results and are about to
// be back. Then calls stay in the queue until the goroutines that are ready to run have had their turn: they are
// coalesced. And a few tiny ones are deferred to a worker that is about to answer, since to wake another takes longer.
const (
	rapidGap   = 5 * time.Microsecond
	rapidRun   = 8                    // so many submissions in a row, each within rapidGap of the one before
	tinyTask   = 5 * time.Microsecond // tasks under this are better deferred to a worker that is about to answer
	deferUnder = 32                   // more than so many are not
	muchDearer = 4                    // a batch counts as so many times dearer than those before at most
)

// deferNear is how many workers must be about to answer before tiny tasks are deferred to them: half as many as there
// are processors, since the parent needs its share of those.
var deferNear = max(1, runtime.GOMAXPROCS(0)/2)

// enoughNear is how many workers must be about to answer before tiny tasks are given to no more: twice as many as there
// are processors, since the others would only take these from them. While some are found to run longer than that it is
// twice as many, then four times, and so on, so that tasks that are not tiny after all are soon at every worker.
var enoughNear = max(4, 2*runtime.GOMAXPROCS(0))

const maxDoubt = 16

// pace says when calls that are queued while workers are idle are sent.
type pace uint8

const (
	paceNow      pace = iota // at once
	paceDefer                // to the next worker that answers, or when the keeper finds that this takes long
	paceCoalesce             // by the dispatcher's goroutine, once those that are ready to run have had their turn
)

// load is what a pacer is told of its pool.
type load struct {
	queued  int // calls in the queue, the newest among them
	near    int // workers that are about to answer
	blocked int // submitters that wait for room in the queue
}

// pacer decides on paces from figures and the time, and does nothing itself. Its zero value has seen no call.
type pacer struct {
	last       time.Duration // when the last call was queued
	rapid      int           // calls in a row that followed at once
	lone       int           // calls in a row that were alone and followed soon
	cost       time.Duration // moving average of what a task takes to run
	coalescing bool          // until coalesced
	deferring  bool          // until a worker answers, or overdue
	since      time.Duration // when that began
	doubt      int           // how often in a row workers were found to run what is not tiny
}

// queued is the pace of a call that was just queued. alone says that it is the only one in the pool and its caller
// waits for it.
func (p *pacer) queued(at time.Duration, alone bool, l load) pace {
	gap := at - p.last
	p.last = at
	p.rapid, p.lone = nextInRow(p.rapid, gap < rapidGap), nextInRow(p.lone, alone && gap < directGap)
	switch {
	case p.defers(at, l):
		return paceDefer
	case p.rapid < rapidRun:
		return paceNow
	}
	p.coalescing = true
	return paceCoalesce
}

// nextInRow goes on with a row, or begins it anew.
func nextInRow(n int, goesOn bool) int {
	if goesOn {
		return n + 1
	}
	return 0
}

// defers tells whether the queue is short and tiny enough to wait for a worker that is about to answer.
func (p *pacer) defers(at time.Duration, l load) bool {
	few := l.near >= deferNear && p.cost < tinyTask && l.queued < deferUnder
	if !few && !p.enough(l) {
		return false
	}
	if !p.deferring {
		p.deferring, p.since = true, at
	}
	return true
}

// most is how many workers tiny tasks are spread over.
func (p *pacer) most() int { return enoughNear << p.doubt }

// enough tells whether what is queued can be left to the workers that are about to answer, however much it is.
func (p *pacer) enough(l load) bool { return p.cost < tinyTask && l.near >= p.most() }

// looked notes whether nobody answered in time, since some were running what is not tiny.
func (p *pacer) looked(long bool) {
	if p.doubt++; !long {
		p.doubt = 0
	}
	p.doubt = min(p.doubt, maxDoubt)
}

// coalesced is the pace of what was coalesced, now that the others have had their turn.
func (p *pacer) coalesced(at time.Duration, l load) pace {
	p.coalescing = false
	if p.defers(at, l) {
		return paceDefer
	}
	return paceNow
}

// learn notes what the tasks of a worker cost that has answered: at most many times what those before it did.
func (p *pacer) learn(cost time.Duration) {
	if p.cost > 0 {
		cost = min(cost, muchDearer*max(p.cost, time.Microsecond))
	}
	p.cost += (cost - p.cost) / 8
}

// answered notes that a worker has answered, and with that so many callers who are about to be back. It is the pace of
// what they will bring.
func (p *pacer) answered(callers int) pace {
	p.deferring = false
	if callers <= 1 || p.coalescing {
		return paceNow
	}
	p.coalescing = true
	return paceCoalesce
}

// overdue tells whether what was deferred has waited for too long, and ends that.
func (p *pacer) overdue(at time.Duration) bool {
	if !p.deferring || at-p.since < keeperTick {
		return false
	}
	p.deferring = false
	return true
}

// keeps tells whether what is queued stays there though a worker is idle: a few tiny calls, while callers are about to
// come back, unless the queue is full and somebody waits for room.
func (p *pacer) keeps(l load) bool {
	return p.coalescing && l.blocked == 0 && p.cost < tinyTask && l.queued < deferUnder
}

// begins tells whether so many calls are coalesced that the first of them leave: when nobody is at work, callers would
// come back and a worker would answer by turns, each of them waiting for the other.
func (p *pacer) begins(l load) bool { return p.coalescing && l.near == 0 && l.queued >= deferUnder }

// load is what the pacer is told.
func (st *state) load() load { return load{st.queue.live, len(st.working) - st.slow, st.blocked} }

// pace sends a call that was just queued while workers are idle, or leaves it to who will.
func (st *state) pace() {
	if st.pacer.coalescing {
		if st.pacer.begins(st.load()) {
			st.dispatch()
		}
		return
	}
	at := wire.Now()
	switch st.pacer.queued(at, st.caller != nil && st.live == 1, st.load()) {
	case paceNow:
		st.dispatch()
	case paceDefer:
		st.deferred(at)
	case paceCoalesce:
		st.coalesce()
	}
}

// deferred makes the keeper look in time at what has begun to be deferred just now.
func (st *state) deferred(at time.Duration) {
	if st.pacer.since == at && st.keeperNext.After(time.Now().Add(2*keeperTick)) {
		st.keeperWake()
	}
}

// coalesce leaves the queue to the dispatcher's goroutine.
func (st *state) coalesce() {
	select {
	case st.dispatchKick <- struct{}{}:
	default:
	}
}

// dispatchQueue gives coalesced calls to idle workers, until the pool has stopped.
func (p *Pool) dispatchQueue() {
	for {
		select {
		case <-p.dispatchKick:
			runtime.Gosched() // behind everything that is ready to run: the callers that are coming back
			st, at := p.lock(), wire.Now()
			if st.pacer.coalesced(at, st.load()) == paceNow {
				st.dispatch()
			} else {
				st.deferred(at)
			}
			st.unlock()
		case <-p.stopped:
			return
		}
	}
}
