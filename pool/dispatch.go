package pool

import (
	"fmt"
	"time"
)

// effects is what a critical section leaves to be done after it: calls whose waiters must be woken, and workers that
// have frames to be written.
type effects struct {
	settled []*call
	dirty   []*worker
	writes  []outgoing
}

// outgoing is frames to be written to one worker, and the payload that must be in its arena before that.
type outgoing struct {
	w     *worker
	buf   []byte
	large *call
}

// unlock ends a critical section and does what it left to do.
func (p *Pool) unlock() {
	e := p.eff
	if len(e.settled) == 0 && len(e.dirty) == 0 {
		p.mu.Unlock()
		return
	}
	for _, w := range e.dirty {
		w.dirty = false
		if o, ok := w.beginWrite(); ok {
			e.writes = append(e.writes, o)
		}
	}
	e.dirty = e.dirty[:0]
	p.eff = p.spareEffects()
	p.mu.Unlock()

	for i, o := range e.writes {
		o.w.write(o)
		e.writes[i] = outgoing{}
	}
	for i, c := range e.settled {
		c.announce()
		e.settled[i] = nil
	}
	e.writes, e.settled = e.writes[:0], e.settled[:0]
	p.effPool.Put(e)
}

func (p *Pool) spareEffects() *effects {
	if e, ok := p.effPool.Get().(*effects); ok {
		return e
	}
	return &effects{}
}

// beginWrite takes the frames that are to be written, unless somebody is writing already, who will take them after.
func (w *worker) beginWrite() (outgoing, bool) {
	if w.writing || len(w.out) == 0 || w.released {
		return outgoing{}, false
	}
	o := outgoing{w: w, buf: w.out}
	if w.large != nil && !w.large.copied {
		w.large.copied = true
		o.large = w.large
	}
	w.writing = true
	w.out, w.spareOut = w.spareOut[:0], nil
	return o, true
}

// write writes without blocking the caller: what does not fit at once is left to a goroutine of its own.
func (w *worker) write(o outgoing) {
	for {
		if o.large != nil {
			down, _ := w.proc.arenas()
			copy(down, o.large.payload)
		}
		n, err := w.proc.tryWrite(o.buf)
		if err == nil && n < len(o.buf) {
			go func() {
				_ = w.proc.write(o.buf[n:]) // an error means that it is dying; its tasks are in flight
				if more, ok := w.endWrite(o); ok {
					w.write(more)
				}
			}()
			return
		}
		more, ok := w.endWrite(o)
		if !ok {
			return
		}
		o = more
	}
}

// endWrite gives the buffer back and takes what was added meanwhile.
func (w *worker) endWrite(o outgoing) (outgoing, bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.writing, w.spareOut = false, o.buf[:0]
	if w.released {
		w.proc.close()
		return outgoing{}, false
	}
	return w.beginWrite()
}

// enqueue puts a call that was accepted where its worker will take it from, and dispatches. Pool.mu is held.
func (p *Pool) enqueue(c *call) {
	if c.options.slot > 0 {
		s := p.slots[c.options.slot-1]
		s.pinned.pushBack(c)
		if s.worker != nil {
			p.feed(s.worker, 1)
		}
		return
	}
	p.queue.pushBack(c)
	if len(p.idle) == 0 {
		return
	}
	if now := time.Now(); now.Sub(p.lastSubmit) >= rapid {
		p.lastSubmit, p.rapid = now, 0
	} else {
		p.lastSubmit = now
		p.rapid++
	}
	switch {
	case p.rapid < rapidRun:
		p.dispatch()
		return
	case p.busy > 0 && p.cost < tinyTask && p.queue.live < holdUnder:
		p.hold()
		return
	}
	select {
	case p.dispatchKick <- struct{}{}:
	default:
	}
}

// Submitters that follow each other faster than a write to a socket takes are better served together: after rapidRun
// submissions, each within rapid of the one before, calls are left in the queue for the dispatcher's goroutine, which
// finds several when it gets to run, or when tasks are tiny for a worker that is about to answer. Submitters at leisure
// write to an idle worker themselves.
const (
	rapid     = 5 * time.Microsecond
	rapidRun  = 8
	tinyTask  = 5 * time.Microsecond
	holdUnder = 32 // more than so many are not held back
)

// hold leaves the queue to the next worker that answers, and to the keeper should that take long. Pool.mu is held.
func (p *Pool) hold() {
	if !p.held {
		p.held = true
		if p.keeperNext.After(p.lastSubmit.Add(2 * keeperTick)) {
			p.keeperWake()
		}
	}
}

// dispatchQueue gives queued calls to idle workers whenever a submitter left that to it, until the pool has stopped.
func (p *Pool) dispatchQueue() {
	for {
		select {
		case <-p.dispatchKick:
			p.mu.Lock()
			p.dispatch()
			p.unlock()
		case <-p.stopped:
			return
		}
	}
}

// requeue puts a call back to where it came from, first in line. Pool.mu is held.
func (p *Pool) requeue(c *call) {
	c.copied = false
	if c.options.slot > 0 && int(c.options.slot) <= len(p.slots) {
		p.slots[c.options.slot-1].pinned.pushFront(c)
		return
	}
	c.options.slot = 0
	p.queue.pushFront(c)
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
// another worker takes longer than running them are kept together.
func (p *Pool) share(w *worker) int {
	fair := (p.queue.live + p.ready - 1) / max(p.ready, 1)
	return max(fair, w.short())
}

// feed sends up to most calls to w: its slot's own first. It reports whether it sent any. Pool.mu is held.
func (p *Pool) feed(w *worker, most int) bool {
	if w.state != Ready {
		return false
	}
	sent := 0
	for ; sent < most || sent == 0; sent++ {
		q := &p.queue
		if w.slot != nil && w.slot.pinned.front() != nil {
			q = &w.slot.pinned
		}
		c := q.front()
		if c == nil || !w.room(c) {
			break
		}
		q.pop()
		p.send(w, c)
	}
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

// countBusy keeps Pool.busy, the number of workers that have tasks.
func (p *Pool) countBusy(w *worker) {
	if busy := w.flight.count > 0; busy != w.busy {
		w.busy = busy
		if busy {
			p.busy++
		} else {
			p.busy--
		}
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
	seq := w.flight.add(c)
	c.on, c.seq = w, seq
	c.attempt++
	w.board.offer(seq)
	f := frame{kind: frameTask, handler: c.handler, id: c.id, seq: seq, attempt: c.attempt, keyLen: uint16(len(c.options.key))}
	payload := c.payload
	var ref [16]byte
	down, _ := w.proc.arenas()
	if len(payload) >= inlinePayload && down != nil {
		f.flags |= flagArena
		w.large = c
		payload = appendArenaRef(ref[:0], arenaRef{0, uint64(len(payload))})
	}
	w.out = appendHeader(w.out, &f, len(c.options.key)+len(payload))
	w.out = append(append(w.out, c.options.key...), payload...)
	w.bytes += len(payload)
	if w.flight.count == 1 {
		w.headSince = time.Now()
	}
	p.watch(w, c)
	if !w.dirty {
		w.dirty = true
		p.eff.dirty = append(p.eff.dirty, w)
	}
}

// forget takes the task with that number out of w's hands. Pool.mu is held.
func (w *worker) forget(seq uint32, c *call) {
	w.flight.remove(seq)
	if w.large == c {
		w.large = nil
		w.bytes -= 16
	} else {
		w.bytes -= len(c.payload)
	}
}

// revoke takes back everything that w has not started. It returns how many. Pool.mu is held.
func (p *Pool) revoke(w *worker) (taken int) {
	w.flight.newestFirst(func(seq uint32, c *call) {
		if !w.board.revoke(seq) {
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
	c.settled = true
	p.stats.Settled++
	p.live--
	if p.live == 0 {
		p.notify()
	}
	p.eff.settled = append(p.eff.settled, c)
	return true
}

// fail settles c with an error. If it is in a queue it stays there as a tombstone. Pool.mu is held.
func (p *Pool) fail(c *call, err error) {
	if c.settled {
		return
	}
	if c.queue != nil {
		c.queue.live--
	}
	c.err = err
	p.stats.Failed++
	p.settle(c)
}

// receive takes every whole frame out of the buffer. It reports whether the worker can be read on.
func (w *worker) receive(in *frameBuffer) bool {
	p := w.p
	var f frame
	var batch int
	var ran time.Duration
	p.mu.Lock()
	defer p.unlock()
	for {
		ok, err := in.next(&f)
		if err != nil {
			err = fmt.Errorf("from %s: %w", w.name, err)
		} else if ok {
			err = p.take(w, &f)
		}
		if err != nil {
			p.reject(w, err)
			return false
		}
		if !ok {
			break
		}
		if f.kind >= frameValue && f.kind <= frameUnknown {
			batch++
			ran += time.Duration(f.run)
		}
	}
	if batch > 0 {
		w.learn(batch, max(ran, 0))
		p.cost += (w.cost - p.cost) / 8
		p.held = false
		w.headSince = time.Now()
		p.afterBatch(w)
	}
	return true
}

// afterBatch decides what w does next. Pool.mu is held.
func (p *Pool) afterBatch(w *worker) {
	if w.probe {
		p.breakerClose(w)
	}
	if limit := p.cfg.MaxTasks; limit > 0 && w.settled >= limit {
		p.retire(w, ReasonRecycle)
	}
	if w.state == Retiring && w.flight.count == 0 {
		p.stopWorker(w)
	}
	p.feed(w, max(1, p.share(w)))
	p.countBusy(w)
}

// take handles one frame of a worker. An error means that no worker should have sent it. Pool.mu is held, but released
// while a large result is copied.
func (p *Pool) take(w *worker, f *frame) error {
	switch {
	case f.kind == frameReady || f.kind == frameBootFailed:
		return w.booted(f)
	case f.kind == frameGoodbye:
		w.asked = true
		p.retire(w, ReasonNone)
		return nil
	case f.kind < frameValue || f.kind > frameUnknown:
		return fmt.Errorf("%w: kind %d from a worker", errFrame, f.kind)
	}
	c := w.flight.get(f.seq)
	if c == nil || c.id != f.id {
		return fmt.Errorf("result for task %d as number %d, which is not there", f.id, f.seq)
	}
	if w.board.unstarted(f.seq) {
		return fmt.Errorf("result for task %d, which was not started", f.id)
	}
	var body []byte
	switch {
	case f.flags&flagArena != 0:
		var err error
		if body, err = p.collect(w, f.payload); err != nil {
			w.forget(f.seq, c)
			p.fail(c, &EncodeError{Task: c.name, What: "collect result", Err: err})
			return err
		}
	case c.settled:
	case len(f.payload) <= len(c.inline):
		body = append(c.inline[:0], f.payload...)
	default:
		body = append([]byte(nil), f.payload...)
	}
	w.forget(f.seq, c)
	w.settled++
	if c.settled {
		p.stats.Late++
		p.publish(Event{Kind: LateResult, Worker: w.info(), TaskID: c.id})
		return nil
	}
	c.result, c.raw, c.pid, c.ran = body, f.kind, int32(w.proc.pid()), time.Duration(f.run)
	if f.kind == frameValue {
		p.stats.OK++
	} else {
		p.stats.Failed++
	}
	p.settle(c)
	if p.cfg.mutant == mutantSettleTwice {
		c.settled = false
		p.live++
		p.settle(c)
	}
	return nil
}

// collect copies a large result out of the worker's arena, without Pool.mu, and frees the arena. Only the reader calls
// it, and the process is not released while the reader lives.
func (p *Pool) collect(w *worker, payload []byte) ([]byte, error) {
	_, up := w.proc.arenas()
	ref, ok := parseArenaRef(payload)
	shared := ref.slice(up)
	if !ok || shared == nil {
		return nil, fmt.Errorf("%w: a result outside the arena", errFrame)
	}
	p.mu.Unlock()
	body := append([]byte(nil), shared...)
	p.mu.Lock()
	w.collected++
	w.board.word(offConsumed).Store(w.collected)
	return body, nil
}

// reject notes that w sent what no worker should, and recycles it. Pool.mu is held.
func (p *Pool) reject(w *worker, err error) {
	p.stats.Rejected++
	w.rejected = err
	p.publish(Event{Kind: FrameRejected, Worker: w.info(), Err: err})
	w.kill(ReasonProtocol)
}
