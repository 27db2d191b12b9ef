package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// The keeper looks after workers that are up: tasks that run too long, workers stuck on a long task with others behind
// it, heartbeats, age and memory. It sleeps until the next thing is due; while some worker has more than one task it
// looks every keeperTick, at the workers that have tasks. At all of them it looks when something may be due for one
// that has none, since there may be thousands of those.
const (
	keeperTick = time.Millisecond
	longTask   = 2 * time.Millisecond // a task that runs this long gives back what waits behind it
	// a worker that has answered nothing for so long is not about to, if no other has
	longSilence = 10 * keeperTick
	lostSilence = 100 * keeperTick // nor for so long, whatever the others do
	memoryEvery = 250 * time.Millisecond
)

// keep runs until the pool has stopped.
func (p *Pool) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.keeperKick:
		case <-p.stopped:
			return
		}
		st := p.lock()
		now := st.clock.now()
		next := now.Add(time.Hour)
		st.keeperNext = next // so that a task sent meanwhile, to a worker already looked at, has its time noticed
		if now.Before(st.keeperAll) {
			st.clock.grain = st.keeperGrain
			for i := len(st.working) - 1; i >= 0; i-- {
				if i < len(st.working) { // a look may take others' tasks back
					next = earliest(next, st.lookAfter(st.working[i], now))
				}
			}
		} else {
			st.keeperAll, st.clock.grain = next, longestGrain
			for w := range st.workers {
				next = earliest(next, st.lookAfter(w, now))
			}
			st.keeperGrain = st.clock.grain
		}
		next = earliest(next, st.ring(now))
		if st.pacer.deferring || len(st.idle) > 0 && st.queue.front() != nil {
			overdue := st.pacer.overdue(wire.Now())
			if overdue || !st.pacer.deferring {
				found := st.findSlow(now)
				st.pacer.looked(overdue && found)
				// as below: what is deferred meanwhile need not wake it
				st.keeperNext = earliest(next, now.Add(keeperTick))
				st.dispatch()
			}
			next = earliest(next, now.Add(keeperTick))
		}
		if st.unreadAny { // and may again at any time: to be woken each time would cost what a direct read saves
			st.unreadAny = false
			st.keeperAll = earliest(st.keeperAll, now.Add(unreadFor))
		}
		next = earliest(next, st.keeperAll)
		st.keeperNext, st.clock.due = next, st.clock.toWall(next)
		sleep := time.Until(st.clock.due)
		st.unlock()
		timer.Reset(max(sleep, 0))
	}
}

// findSlow marks the workers that were expected to answer soon and did not, so that nothing is deferred to them.
// Where there are enough of them, they may be waiting for a processor, and more would not help: then it takes a task
// that was seen running a tick ago, or a long silence, and longer while others answer.
func (st *state) findSlow(now time.Time) (found bool) {
	enough, silence := st.pacer.enough(st.load()), longSilence
	if now.Sub(st.clock.fromWall(st.answered)) < longSilence { // the others go on with what is queued
		silence = lostSilence
	}
	for _, w := range st.working {
		silent := now.Sub(w.headSince)
		if w.slow || silent < keeperTick {
			continue
		}
		if long := !w.seenAt.IsZero() && now.Sub(w.seenAt) >= keeperTick; enough && !long && silent < silence {
			continue
		}
		w.slow, found = true, true
		st.slow++
	}
	return found
}

func earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// watch makes the keeper look in time after c was sent to w.
func (st *state) watch(w *worker, c *call) {
	if w.flight.count > 1 {
		if !st.keeperNext.After(w.headSince.Add(10 * keeperTick)) {
			return // it looks soon anyway
		}
		st.keeperWake()
		return
	}
	soon := minSilence
	if t := st.timeout(c); t > 0 {
		soon = min(soon, t/8)
	}
	if w.headSince.Add(soon).Before(st.keeperNext) {
		st.keeperWake()
	}
}

// lookAtAll makes the keeper look at every worker by then.
func (st *state) lookAtAll(by time.Time) {
	st.keeperAll = earliest(st.keeperAll, by)
	if by.Before(st.keeperNext) {
		st.keeperWake()
	}
}

// lookAtNew looks after a worker that has just come to its slot, so that the keeper need not look at all of them for
// each.
func (st *state) lookAtNew(w *worker) {
	next := st.lookAfter(w, st.clock.now())
	st.keeperGrain = min(st.keeperGrain, st.clock.grain)
	if next = earliest2(next, st.keeperAll); next.Before(st.keeperNext) {
		st.keeperWake()
	}
}

// keeperWake makes the keeper look now.
func (st *state) keeperWake() {
	st.keeperNext = time.Time{}
	if now := time.Now(); now.Before(st.clock.due) {
		st.clock.due = now
	}
	select {
	case st.keeperKick <- struct{}{}:
	default:
	}
}

// timeout is how long c may run; 0 is forever.
func (p *Pool) timeout(c *call) time.Duration {
	if p.cfg.mutant == mutantNoTimeout {
		return 0
	}
	if t := c.options().timeout; t != 0 {
		return t
	}
	return p.cfg.TaskTimeout
}

// lookAfter does what is due for w and returns when it must be looked at next for its tasks; state.keeperAll is when
// for all else.
func (st *state) lookAfter(w *worker, now time.Time) (next time.Time) {
	if w.board == nil || w.state != Ready && w.state != Retiring {
		return time.Time{}
	}
	next, answer := st.lookAtTask(w, now), st.lookForAnswer(w, now)
	later := earliest2(w.callReaderAfter(now), st.lookAtPulse(w, now))
	if w.work > 0 {
		next = earliest2(next, answer)
	} else {
		later = earliest2(later, answer)
	}
	st.keeperAll = earliest(st.keeperAll, earliest2(later, st.lookAtUse(w, now)))
	return next
}

// lookAtUse recycles w when it is old or has grown, and takes back memory that it does not need.
func (st *state) lookAtUse(w *worker, now time.Time) (next time.Time) {
	if w.state != Ready || w.slot == nil || !w.died.IsZero() {
		return time.Time{}
	}
	next = st.giveBack(w, now)
	if age := st.cfg.MaxAge; age > 0 {
		due := st.clock.fromWall(w.readyAt.Add(age))
		if !now.Before(due) {
			st.retire(w, ReasonRecycle)
			return time.Time{}
		}
		next = earliest2(next, due)
	}
	if soft := st.cfg.SoftMemory; soft > 0 {
		if !now.Before(w.weighAt) {
			w.weighAt = now.Add(memoryEvery) // not at each look: with tasks in flight that is every keeperTick
			if Bytes(w.proc.Resident()) > soft {
				st.retire(w, ReasonRecycle)
				return time.Time{}
			}
		}
		next = earliest2(next, w.weighAt)
	}
	return next
}

// earliest2 is earliest where both may be unset.
func earliest2(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return earliest(a, b)
}

// lookAtTask enforces the running task's timeout and frees the tasks behind a long one.
func (st *state) lookAtTask(w *worker, now time.Time) (next time.Time) {
	oldest, c := w.flight.oldest()
	if c == nil {
		return time.Time{}
	}
	phase, seq := w.board.Running()
	running := w.flight.get(seq)
	if phase != wire.PhaseRunning || running == nil {
		running = nil
	}
	switch {
	case running == nil:
		w.seenAt = time.Time{}
	case w.seenAt.IsZero() || w.seen != seq:
		w.seen, w.seenAt = seq, now // it started since the last look: its time is up rather late than early
		if st.cfg.mutant == mutantEarlyTimeout {
			w.seenAt = st.clock.fromWall(w.readyAt)
		}
	}
	if running != nil {
		if t := st.timeout(running); t > 0 && !running.settled {
			due := w.seenAt.Add(t)
			if !now.Before(due) {
				if !w.killed {
					w.overdue = seq
				}
				w.kill(st, ReasonTimeout)
				return time.Time{}
			}
			next = st.clock.within(t, due, now)
		}
		since := w.seenAt
		if seq == oldest {
			since = w.headSince
		}
		if w.flight.count > 1 && now.Sub(since) >= longTask && st.cfg.mutant != mutantStrand {
			st.unburden(w, seq)
			return next
		}
	} else if t := st.timeout(c); t > 0 {
		// It has not started as far as its scoreboard tells. That is not believed for ever, but for so long: its answer
		// may not be read yet.
		due := w.headSince.Add(t + max(st.cfg.Heartbeat, 0) + time.Second)
		if !now.Before(due) {
			w.kill(st, ReasonStall)
			return time.Time{}
		}
		next = st.clock.within(t, earliest(due, now.Add(max(now.Sub(w.headSince), keeperTick))), now)
	}
	if w.flight.count > 1 {
		next = earliest2(next, now.Add(keeperTick))
	}
	return next
}

// unburden takes back what waits behind a long task, and has the results before it written out.
func (st *state) unburden(w *worker, running uint32) {
	w.window = 1
	st.countWindow(w)
	w.cost = longTask
	if oldest, _ := w.flight.oldest(); oldest != running {
		w.proc.Control(wire.Control{Kind: wire.ControlFlush})
	}
	if taken := st.revoke(w); taken > 0 {
		st.publish(Event{Kind: TaskRevoked, Worker: w.info(), Count: taken})
		st.dispatch()
	}
}

// lookAtPulse pings w and ends it when it does not answer.
func (st *state) lookAtPulse(w *worker, now time.Time) (next time.Time) {
	limit := st.cfg.Heartbeat
	if limit < 0 || w.slot == nil || st.cfg.mutant == mutantNoHeartbeat {
		return time.Time{}
	}
	every := limit / 4
	st.clock.grain = min(st.clock.grain, max(every, shortestGrain))
	switch {
	case w.pingedAt.IsZero():
		w.ping(now)
	case now.Sub(w.pingedAt) < every-every/32:
		// who is due soon is pinged along: a few looks are for thousands, and not all answer at once
	case w.lives():
		w.ping(now)
	case now.Sub(w.pingedAt) >= limit:
		w.kill(st, ReasonStall)
		return time.Time{}
	}
	return now.Add(every - min(now.Sub(w.pingedAt)%every, every-keeperTick))
}

// lives tells whether w has answered its last ping. One that is not pinged, since its interpreter may be busy with what
// is in good order, shows that it lives by not being stopped, and by not leaving tasks lying when it has nothing to do.
func (w *worker) lives() bool {
	ping, pinged := w.board.Pong()
	if pinged {
		return ping == w.pings
	}
	if w.proc.Halted() {
		return false
	}
	_, seq := w.board.Running()
	return w.flight.count == 0 || w.flight.get(seq) != nil
}

// ping asks w for a sign of life.
func (w *worker) ping(now time.Time) {
	if w.pingedAt.IsZero() || w.lives() {
		w.pingedAt = now
	}
	w.pings++
	if _, pinged := w.board.Pong(); pinged {
		w.proc.Control(wire.Control{Kind: wire.ControlPing, Arg: w.pings})
	}
}

// answered tells whether w has shown that it lives since that ping: one that is not pinged by not being stopped.
func (w *worker) answered(ping uint32) bool {
	pong, pinged := w.board.Pong()
	return pinged && pong >= ping || !pinged && !w.proc.Halted()
}

// minSilence is how long a worker may owe an answer at least.
const minSilence = time.Second

var errSilent = errors.New("runs nothing, and what it owes an answer for is not answered")

// lookForAnswer ends a worker that owes something and does nothing about it though it is alive: it runs no task and has
// some, or has sent half a frame. What it wrote went elsewhere, or what it was to read did. What this process itself is
// still writing or copying is not held against it.
func (st *state) lookForAnswer(w *worker, now time.Time) (next time.Time) {
	if w.killed || !w.died.IsZero() || w.flight.count == 0 && !w.torn || st.cfg.mutant == mutantNoAnswer {
		w.owesSince = time.Time{}
		return time.Time{}
	}
	limit := max(st.cfg.Heartbeat, minSilence)
	phase, seq := w.board.Running()
	if !w.torn && phase == wire.PhaseRunning && w.flight.get(seq) != nil || w.writing || w.dirty || w.copying {
		w.owesSince = time.Time{}
		return now.Add(limit)
	}
	if phase == wire.PhaseWriting { // it may be copying a large one
		limit += time.Duration(st.cfg.MaxPayload/(100*MiB)) * time.Second
	}
	if w.owesSince.IsZero() {
		w.owesSince, w.owesAsked = now, 0
	}
	if ask := w.owesSince.Add(limit / 8); now.Before(ask) {
		// one that is seen between two tasks, as many are, is not disturbed
		return ask
	}
	if w.owesAsked == 0 {
		w.askOwing(now)
	}
	due := w.owesSince.Add(limit)
	if !now.Before(due) {
		if w.answered(w.owesPing) {
			if w.owesAsked > 1 && !w.proc.Halted() {
				st.reject(w, fmt.Errorf("from %s: %w", w.name, errSilent))
				return time.Time{}
			}
			w.askOwing(now) // it lived when it began to owe, but may have been stopped since
		}
		due = now.Add(limit / 8)
	}
	return st.clock.within(limit, due, now)
}

// askOwing asks a worker that owes something for a sign of life.
func (w *worker) askOwing(now time.Time) {
	w.owesAsked++
	w.ping(now)
	w.owesPing = w.pings
}
