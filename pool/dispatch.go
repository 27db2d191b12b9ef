package pool

import (
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// requeue puts a call back to where it came from, first in line.
func (st *state) requeue(c *call) {
	c.copied = false
	switch slot := int(c.slot); {
	case slot == 0:
		st.queue.pushFront(c)
	case slot <= len(st.slots):
		s := st.slots[slot-1]
		s.pinned.pushFront(c)
		if s.worker != nil && s.worker != c.on { // Resize made the slot again
			st.feed(s.worker, 0)
		}
	default:
		st.fail(c, slotRemoved(slot-1))
	}
}

// dispatch gives queued calls to idle workers.
func (st *state) dispatch() {
	for len(st.idle) > 0 && st.queue.front() != nil {
		if st.leaves(st.load()) {
			return
		}
		w := st.idle[len(st.idle)-1]
		if !st.feed(w, st.share(w)) {
			return // it cannot take the first call, nor could another idle one
		}
	}
}

// leaves tells whether what is queued is left to the workers that are about to answer. Then the keeper looks whether
// they do. Those may be busy with what is pinned to their slots, and take nothing.
func (st *state) leaves(l load) bool {
	if !st.pacer.enough(l) || st.atLimit() {
		return false
	}
	at := wire.Now()
	if at-st.takenAt >= 2*keeperTick {
		return false
	}
	st.pacer.defers(at, l)
	st.deferred(at)
	return true
}

// atLimit tells whether as many calls wait as may.
func (st *state) atLimit() bool { return st.cfg.QueueLimit > 0 && st.queue.live >= st.cfg.QueueLimit }

// share is how many of the queued calls w may take now, so that the others get theirs; but tasks so short that waking
// another worker takes longer than running them are kept together.
func (st *state) share(w *worker) int {
	l := st.load()
	if st.pacer.keeps(l) {
		return 0
	}
	if w.work > 0 { // it has just answered, and there may have come to be more at work than are of use
		if l.near--; st.leaves(l) {
			return 0
		}
	}
	among := st.ready
	if st.pacer.cost < tinyTask {
		among = min(among, st.pacer.most())
	}
	fair := (st.queue.live + among - 1) / max(among, 1)
	return max(fair, w.short(), 1)
}

// feed sends up to most calls to w, and before them what is pinned to its slot. It reports whether it sent any.
func (st *state) feed(w *worker, most int) bool {
	if w.state != Ready || !w.died.IsZero() {
		return false
	}
	sent := 0
	if w.slot != nil {
		sent = st.feedFrom(&w.slot.pinned, w, maxWindow)
	}
	if taken := st.feedFrom(&st.queue, w, most); taken > 0 {
		st.takenAt = wire.Now()
		sent += taken
	}
	st.countBusy(w)
	switch {
	case w.flight.count > 0:
		st.notIdle(w)
	case w.pos < 0:
		w.pos = len(st.idle)
		st.idle = append(st.idle, w)
	}
	if sent > 0 && st.blocked > 0 {
		st.notify() // a submitter waits for room in the queue
	}
	return sent > 0
}

func (st *state) feedFrom(q *queue, w *worker, most int) (sent int) {
	for ; sent < most; sent++ {
		c := q.front()
		if c == nil || !w.room(c) {
			break
		}
		q.pop()
		st.send(w, c)
	}
	return sent
}

// countWindow keeps state.windows, after w's window or its state has changed.
func (st *state) countWindow(w *worker) {
	n := 0
	if w.state == Ready && w.slot != nil {
		n = w.window
	}
	st.windows += n - w.counted
	w.counted = n
}

// countBusy keeps state.working.
func (st *state) countBusy(w *worker) {
	switch has := w.flight.count > 0; {
	case has && w.work == 0:
		st.working = append(st.working, w)
		w.work = len(st.working)
	case !has && w.work > 0:
		end := len(st.working) - 1
		last := st.working[end]
		st.working[w.work-1], last.work = last, w.work
		st.working[end], st.working = nil, st.working[:end]
		w.work = 0
		w.owesSince = time.Time{} // of tasks, which it has answered
		st.notSlow(w)
	}
}

// notSlow takes back what the keeper found: w has answered.
func (st *state) notSlow(w *worker) {
	if w.slow {
		w.slow = false
		st.slow--
	}
}

func (st *state) notIdle(w *worker) {
	if w.pos < 0 {
		return
	}
	last := st.idle[len(st.idle)-1]
	st.idle[w.pos], last.pos = last, w.pos
	st.idle = st.idle[:len(st.idle)-1]
	w.pos = -1
}

// send assigns c to w and appends its frame.
func (st *state) send(w *worker, c *call) {
	handler := c.def.index
	if c.def.external {
		if err := w.lacks(c); err != nil {
			st.fail(c, err)
			return
		}
		handler = w.tasks[c.def.name]
	}
	seq := w.flight.add(c)
	c.on, c.seq, c.begun = w, seq, false
	c.attempt++
	if c.extra != nil && c.extra.timing != nil {
		c.extra.timing.sent = monotonic()
	}
	w.board.Offer(seq)
	key := c.carriedKey()
	f := wire.Frame{
		Kind: wire.FrameTask, Flags: c.def.flags, Handler: handler, ID: c.id, Seq: seq, Attempt: c.attempt,
		KeyLen: uint16(len(key)),
	}
	head, payload := c.inline[:c.head], c.data
	var ref [16]byte
	if w.byArena(c) {
		f.Flags |= wire.FlagArena
		w.large, w.place = c, w.down.free()
		head, payload = nil, wire.AppendRef(ref[:0], w.argument(c))
	}
	size := len(head) + len(payload)
	w.out = wire.AppendHeader(w.out, &f, len(key)+size)
	w.out = append(append(append(w.out, key...), head...), payload...)
	w.bytes += size
	if w.flight.count == 1 {
		w.headSince = st.clock.now()
	}
	st.watch(w, c)
	if w.unread {
		st.handReading(w, c)
	}
	if !w.dirty {
		w.dirty = true
		st.eff.dirty = append(st.eff.dirty, w)
	}
}

// revoke takes back everything that w has not started. It returns how many.
func (st *state) revoke(w *worker) (taken int) {
	w.flight.newestFirst(func(seq uint32, c *call) {
		if !w.unstart(seq, c) && st.cfg.mutant != mutantDoubleRun {
			return
		}
		w.forget(st, seq, c)
		if !c.settled {
			c.attempt--
			st.requeue(c)
			taken++
		}
	})
	st.stats.Revoked += uint64(taken)
	return taken
}
