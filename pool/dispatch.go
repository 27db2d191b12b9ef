package pool

import "github.com/respawn-go/respawn/internal/wire"

// enqueue puts a call that was accepted where its worker will take it from, and dispatches. Pool.mu is held.
func (p *Pool) enqueue(c *call) {
	if c.slot > 0 && p.cfg.mutant != mutantAnySlot {
		s := p.slots[c.slot-1]
		s.pinned.pushBack(c)
		if s.worker != nil {
			p.feed(s.worker, 0)
		}
		return
	}
	p.queue.pushBack(c)
	if len(p.idle) > 0 && !p.gathering {
		p.pace()
	}
}

// requeue puts a call back to where it came from, first in line. Pool.mu is held.
func (p *Pool) requeue(c *call) {
	c.copied = false
	switch slot := int(c.slot); {
	case slot == 0:
		p.queue.pushFront(c)
	case slot <= len(p.slots):
		s := p.slots[slot-1]
		s.pinned.pushFront(c)
		if s.worker != nil && s.worker != c.on { // Resize made the slot again
			p.feed(s.worker, 0)
		}
	default:
		p.fail(c, slotRemoved(slot-1))
	}
}

// dispatch gives queued calls to idle workers. Pool.mu is held.
func (p *Pool) dispatch() {
	for len(p.idle) > 0 && p.queue.front() != nil {
		w := p.idle[len(p.idle)-1]
		if !p.feed(w, p.share(w)) {
			return // it cannot take the first call, nor could another idle one
		}
	}
}

// share is how many of the queued calls w may take now, so that the others get theirs; but tasks so short that waking
// another worker takes longer than running them are kept together. While callers are about to come back, a few tiny ones
// wait for theirs, unless the queue is full and somebody waits for room.
func (p *Pool) share(w *worker) int {
	if p.gathering && p.blocked == 0 && p.cost < tinyTask && p.queue.live < holdUnder {
		return 0
	}
	fair := (p.queue.live + p.ready - 1) / max(p.ready, 1)
	return max(fair, w.short(), 1)
}

// feed sends up to most calls to w, and before them what is pinned to its slot. It reports whether it sent any. Pool.mu is held.
func (p *Pool) feed(w *worker, most int) bool {
	if w.state != Ready || !w.died.IsZero() {
		return false
	}
	sent := 0
	if w.slot != nil {
		sent = p.feedFrom(&w.slot.pinned, w, maxWindow)
	}
	sent += p.feedFrom(&p.queue, w, most)
	p.countBusy(w)
	switch {
	case w.flight.count > 0:
		p.notIdle(w)
	case w.pos < 0:
		w.pos = len(p.idle)
		p.idle = append(p.idle, w)
	}
	if sent > 0 && p.blocked > 0 {
		p.notify() // a submitter waits for room in the queue
	}
	return sent > 0
}

func (p *Pool) feedFrom(q *queue, w *worker, most int) (sent int) {
	for ; sent < most; sent++ {
		c := q.front()
		if c == nil || !w.room(c) {
			break
		}
		q.pop()
		p.send(w, c)
	}
	return sent
}

// countBusy keeps Pool.busy, the number of workers that have tasks.
func (p *Pool) countBusy(w *worker) {
	if busy := w.flight.count > 0; busy != w.busy {
		w.busy = busy
		if busy {
			p.busy++
		} else {
			p.busy--
			p.notSlow(w)
		}
	}
}

// notSlow takes back what the keeper found: w has answered. Pool.mu is held.
func (p *Pool) notSlow(w *worker) {
	if w.slow {
		w.slow = false
		p.slow--
	}
}

func (p *Pool) notIdle(w *worker) {
	if w.pos < 0 {
		return
	}
	last := p.idle[len(p.idle)-1]
	p.idle[w.pos], last.pos = last, w.pos
	p.idle = p.idle[:len(p.idle)-1]
	w.pos = -1
}

// send assigns c to w and appends its frame. Pool.mu is held.
func (p *Pool) send(w *worker, c *call) {
	handler := c.def.index
	if c.def.external {
		if err := w.lacks(c); err != nil {
			p.fail(c, err)
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
	f := wire.Frame{Kind: wire.FrameTask, Flags: c.def.flags, Handler: handler, ID: c.id, Seq: seq, Attempt: c.attempt, KeyLen: uint16(len(key))}
	head, payload := c.inline[:c.head], c.data
	var ref [16]byte
	if w.byArena(c) {
		f.Flags |= wire.FlagArena
		w.large = c
		head, payload = nil, wire.AppendRef(ref[:0], wire.Ref{Offset: 0, Size: uint64(c.size())})
	}
	size := len(head) + len(payload)
	w.out = wire.AppendHeader(w.out, &f, len(key)+size)
	w.out = append(append(append(w.out, key...), head...), payload...)
	w.bytes += size
	if w.flight.count == 1 {
		w.headSince = p.clock.now()
	}
	p.watch(w, c)
	if w.resting {
		p.takePart(w, c)
	}
	if !w.dirty {
		w.dirty = true
		p.eff.dirty = append(p.eff.dirty, w)
	}
}

// forget takes the task with that number out of w's hands. Pool.mu is held.
func (w *worker) forget(seq uint32, c *call) {
	w.flight.remove(seq)
	if c.extra != nil {
		w.p.calm(c.extra.grace)
	}
	if w.large == c {
		w.large = nil
		w.bytes -= 16
	} else {
		w.bytes -= c.size()
	}
}

// unstart takes c back if w has not started it; false if it has, or sent a result for it. Pool.mu is held.
func (w *worker) unstart(seq uint32, c *call) bool { return !c.begun && w.board.Revoke(seq) }

// revoke takes back everything that w has not started. It returns how many. Pool.mu is held.
func (p *Pool) revoke(w *worker) (taken int) {
	w.flight.newestFirst(func(seq uint32, c *call) {
		if !w.unstart(seq, c) && p.cfg.mutant != mutantDoubleRun {
			return
		}
		w.forget(seq, c)
		if !c.settled {
			c.attempt--
			p.requeue(c)
			taken++
		}
	})
	p.stats.Revoked += uint64(taken)
	return taken
}

// settle gives c its outcome; false if it has one already. Pool.mu is held.
func (p *Pool) settle(c *call) bool {
	if c.settled {
		return false
	}
	c.settled, c.on = true, nil
	p.stats.Settled++
	p.timeTo(c)
	p.live--
	if p.live == 0 {
		p.notify()
	}
	p.eff.settled = append(p.eff.settled, c)
	return true
}

// fail settles c with an error. If it is in a queue it stays there for a while, without its payload. Pool.mu is held.
func (p *Pool) fail(c *call, err error) {
	if c.settled {
		return
	}
	c.err = err
	p.stats.Failed++
	p.settle(c)
	if q := c.queue; q != nil {
		c.queue, c.data, c.head = nil, nil, 0
		q.bury()
		if p.blocked > 0 {
			p.notify() // a submitter waits for room in the queue
		}
	}
	c.relieve()
}
