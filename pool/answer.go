package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// A reader's buffer starts small, for pools of a thousand workers, and grows with what comes.
const (
	minRead = 4 << 10
	maxRead = 64 << 10
)

// readLoop receives results until the worker is dead and its socket empty.
func (w *worker) readLoop() {
	defer close(w.drained)
	for !w.unreadable && w.proc.Receive(w.space, func(n int) bool { return w.got(n) && !w.mayStop }) == nil {
		if w.stopReading() {
			<-w.readAgain
		}
	}
	if w.p.cfg.mutant == mutantSkipDrain {
		return
	}
	for {
		n := w.proc.Drain(w.space())
		if n == 0 {
			break // what is left in the buffer is a torn frame
		}
		if !w.got(n) {
			break
		}
	}
	w.p.cfg.mutant.wholeFrames(w, &w.in)
	w.hungUp()
}

// space is where the next bytes are read to.
func (w *worker) space() []byte { return w.in.Space(w.readSize) }

// got takes what was read; false ends the reading.
func (w *worker) got(n int) bool {
	w.in.Added(n)
	if n >= w.readSize && w.readSize < maxRead {
		w.readSize *= 2
	}
	w.unreadable = !w.receive(&w.in)
	return !w.unreadable
}

// receive takes every whole frame out of the buffer. It reports whether the worker can be read on.
func (w *worker) receive(in *wire.Buffer) bool {
	p := w.p
	var f wire.Frame
	var batch int
	var ran time.Duration
	st := p.lock()
	defer st.unlock()
	w.awaited = 0
	for {
		ok, err := in.Next(&f)
		if err != nil {
			err = fmt.Errorf("from %s: %w", w.name, err)
		} else if ok {
			var large []byte // a result in shared memory
			if large, err = st.handle(w, &f); large != nil {
				body := st.lend(w, &f, large)
				if body == nil {
					// a copy takes long; nobody else reads, and the process is not released while its reader lives
					st.unlock()
					body = append([]byte(nil), large...)
					st = p.lock()
				}
				err = st.collected(w, &f, body)
			}
		}
		if err != nil {
			st.reject(w, err)
			return false
		}
		if !ok {
			break
		}
		if f.Kind >= wire.FrameValue && f.Kind <= wire.FrameUnknown {
			batch++
			ran += time.Duration(f.Run)
		}
	}
	if err := w.fault(); err != nil {
		st.reject(w, fmt.Errorf("from %s: %w", w.name, err))
		return false
	}
	if batch > 0 {
		if per, warm := w.learn(batch, max(ran, 0)); warm {
			st.pacer.learn(per)
		}
		st.countWindow(w)
		st.notSlow(w)
		if st.pacer.answered(w.awaited) == paceCoalesce {
			st.coalesce()
		}
		w.headSince = st.clock.now()
		st.answered = st.clock.toWall(w.headSince)
		if w.probe {
			st.staysUp(w)
		}
		st.afterBatch(w)
	}
	w.owesSince = time.Time{}
	if w.torn = in.Start != in.End; w.torn {
		st.lookAtAll(st.clock.now().Add(minSilence))
	}
	w.mayStop = w.expectsDirectRead(st)
	return true
}

// fault is what w did to its record that no worker should.
func (w *worker) fault() error {
	if w.board == nil {
		return nil
	}
	return w.board.Fault()
}

// afterBatch decides what w does next.
func (st *state) afterBatch(w *worker) {
	if limit := st.cfg.MaxTasks; limit > 0 && w.settled >= limit {
		st.retire(w, ReasonRecycle)
	}
	if w.state == Retiring && w.flight.count == 0 && !w.killed {
		st.stopWorker(w)
	}
	st.feed(w, st.share(w))
	st.countBusy(w)
}

// handle handles one frame of a worker. large is a result that lies in shared memory: the caller lends it or copies it,
// that without the lock, and calls collected. An error means that no worker should have sent the frame.
func (st *state) handle(w *worker, f *wire.Frame) (large []byte, err error) {
	switch {
	case f.Kind == wire.FrameReady || f.Kind == wire.FrameBootFailed:
		return nil, w.booted(f)
	case f.Kind == wire.FrameGoodbye:
		return nil, st.goodbye(w)
	case f.Kind < wire.FrameValue || f.Kind > wire.FrameUnknown:
		return nil, fmt.Errorf("%w: kind %d from a worker", wire.ErrFrame, f.Kind)
	}
	c := w.flight.get(f.Seq)
	if c == nil || c.id != f.ID {
		return nil, fmt.Errorf("result for task %d as number %d, which is not there", f.ID, f.Seq)
	}
	if w.board.Unstarted(f.Seq) {
		c.begun = true
		return nil, fmt.Errorf("result for task %d, which was not started", f.ID)
	}
	var body []byte
	switch {
	case f.Flags&wire.FlagArena != 0:
		if large, err = w.largeResult(c, f); err != nil {
			w.forget(st, f.Seq, c)
			st.fail(c, &EncodeError{Task: c.def.name, What: "collect result", Err: err})
		}
		w.copying = err == nil
		return large, err
	case c.settled:
	case len(f.Payload) <= len(c.inline):
		body = append(c.inline[:0], f.Payload...)
	default:
		body = append([]byte(nil), f.Payload...)
	}
	st.answer(w, c, f, body)
	return nil, nil
}

// goodbye is a worker that got SIGTERM from outside and starts nothing more.
func (st *state) goodbye(w *worker) error {
	if w.asked {
		return errors.New("goodbye twice")
	}
	w.asked = true
	st.retire(w, ReasonNone)
	if w.state == Retiring { // for another reason already, perhaps, which gives its task all the time that it takes
		st.stopWorker(w)
	}
	return nil
}

// largeResult is where the result lies: in the worker's arena, or in the argument that it is a part of.
func (w *worker) largeResult(c *call, f *wire.Frame) ([]byte, error) {
	down, up := w.proc.Arenas()
	ref, ok := wire.ParseRef(f.Payload)
	if f.Kind != wire.FrameValue && ref.Size > wire.MaxFrame {
		return nil, fmt.Errorf("%w: a failure of %d bytes, at most %d", wire.ErrFrame, ref.Size, wire.MaxFrame)
	}
	shared := ref.Slice(up)
	if f.Flags&wire.FlagPart != 0 {
		if w.large != c || !c.copied || c.def.external {
			return nil, fmt.Errorf("%w: a part of an argument outside the arena", wire.ErrFrame)
		}
		shared = encodedPart(ref, w.argument(c), down)
	}
	if !ok || shared == nil {
		return nil, fmt.Errorf("%w: a result outside the arena", wire.ErrFrame)
	}
	return shared, nil
}

// collected takes the copy of a large result, and gives the worker its place in the arena back.
func (st *state) collected(w *worker, f *wire.Frame, body []byte) error {
	w.copying = false
	if f.Flags&wire.FlagPart == 0 {
		w.collected++
		w.tellCollected()
		st.touched(w, f)
	}
	c := w.flight.get(f.Seq)
	if c == nil || c.id != f.ID {
		return fmt.Errorf("result for task %d, which was taken back as not started meanwhile", f.ID)
	}
	st.answer(w, c, f, body)
	return nil
}

// answer settles a task with what its worker sent, unless it is settled already.
func (st *state) answer(w *worker, c *call, f *wire.Frame, body []byte) {
	w.forget(st, f.Seq, c)
	w.settled++
	if c.settled {
		st.stats.Late++
		st.publish(Event{Kind: LateResult, Worker: w.info(), TaskID: c.id})
		return
	}
	c.data, c.head, c.raw, c.pid, c.ran = body, 0, f.Kind, int32(w.proc.PID()), time.Duration(f.Run)
	if f.Kind == wire.FrameValue {
		st.stats.OK++
	} else {
		st.stats.Failed++
	}
	if c.signal.Load() != nil {
		w.awaited++
	}
	st.settle(c)
	if c.reads != w {
		c.interruptRead()
	}
	if st.cfg.mutant == mutantSettleTwice {
		c.settled = false
		st.live++
		st.settle(c)
	}
}

// encodedPart is the encoding of bytes of an argument. Its head is written over what comes before it:
// the argument is not needed any more, and has a head of its own that is no shorter.
func encodedPart(r, argument wire.Ref, arena []byte) []byte {
	var head [9]byte
	n := uint64(len(codec.AppendHead(head[:0], codec.BytesMajor, r.Size)))
	if r.Offset < argument.Offset+n || r.Offset > argument.Offset+argument.Size ||
		r.Size > argument.Offset+argument.Size-r.Offset || r.Slice(arena) == nil {
		return nil
	}
	copy(arena[r.Offset-n:], head[:n])
	return wire.Ref{Offset: r.Offset - n, Size: r.Size + n}.Slice(arena)
}

// reject notes that w sent what no worker should, and recycles it.
func (st *state) reject(w *worker, err error) {
	if w.rejected == nil { // what follows in its socket is likely to be wrong too
		w.rejected = err
		st.stats.Rejected++
		st.publish(Event{Kind: FrameRejected, Worker: w.info(), Err: err})
	}
	w.kill(st, ReasonProtocol)
}

// settle gives c its outcome; false if it has one already.
func (st *state) settle(c *call) bool {
	if c.settled {
		return false
	}
	c.settled, c.on = true, nil
	st.stats.Settled++
	st.timeTo(c)
	st.live--
	if st.live == 0 {
		st.notify()
	}
	st.eff.settled = append(st.eff.settled, c)
	return true
}

// fail settles c with an error. If it is in a queue it stays there for a while, without its payload.
func (st *state) fail(c *call, err error) {
	if c.settled {
		return
	}
	c.err = err
	st.stats.Failed++
	st.settle(c)
	if q := c.queue; q != nil {
		c.queue, c.data, c.head = nil, nil, 0
		q.bury()
		if st.blocked > 0 {
			st.notify() // a submitter waits for room in the queue
		}
	}
	c.interruptRead()
}

// hungUp gives a worker that closed its socket a moment to exit, since the end of the socket is seen before the exit.
func (w *worker) hungUp() {
	st := w.p.lock()
	defer st.unlock()
	w.hangUp = st.after(time.Second, func() {
		if w.rejected == nil && w.died.IsZero() {
			w.rejected = errHungUp
		}
		w.kill(st, ReasonProtocol)
	})
}
