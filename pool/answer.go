package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// receive takes every whole frame out of the buffer. It reports whether the worker can be read on.
func (w *worker) receive(in *wire.Buffer) bool {
	p := w.p
	var f wire.Frame
	var batch int
	var ran time.Duration
	p.mu.Lock()
	defer p.unlock()
	w.awaited = 0
	for {
		ok, err := in.Next(&f)
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
		if f.Kind >= wire.FrameValue && f.Kind <= wire.FrameUnknown {
			batch++
			ran += time.Duration(f.Run)
		}
	}
	if err := w.fault(); err != nil {
		p.reject(w, fmt.Errorf("from %s: %w", w.name, err))
		return false
	}
	if batch > 0 {
		w.learn(batch, max(ran, 0))
		p.cost += (w.cost - p.cost) / 8
		p.held = false
		p.notSlow(w)
		if w.awaited > 1 && !p.gathering {
			p.gather()
		}
		w.headSince = p.clock.now()
		p.answered = p.clock.undated(w.headSince)
		if w.probe {
			p.breakerClose(w)
		}
		p.afterBatch(w)
	}
	w.owesSince = time.Time{}
	if w.torn = in.Start != in.End; w.torn && p.keeperNext.After(p.clock.now().Add(minSilence)) {
		p.keeperWake()
	}
	w.leave = w.lonely()
	return true
}

// fault is what w did to its record that no worker should.
func (w *worker) fault() error {
	if w.board == nil {
		return nil
	}
	return w.board.Fault()
}

// afterBatch decides what w does next. Pool.mu is held.
func (p *Pool) afterBatch(w *worker) {
	if limit := p.cfg.MaxTasks; limit > 0 && w.settled >= limit {
		p.retire(w, ReasonRecycle)
	}
	if w.state == Retiring && w.flight.count == 0 && !w.killed {
		p.stopWorker(w)
	}
	p.feed(w, p.share(w))
	p.countBusy(w)
}

// take handles one frame of a worker. An error means that no worker should have sent it. Pool.mu is held, but released
// while a large result is copied.
func (p *Pool) take(w *worker, f *wire.Frame) error {
	switch {
	case f.Kind == wire.FrameReady || f.Kind == wire.FrameBootFailed:
		return w.booted(f)
	case f.Kind == wire.FrameGoodbye:
		if w.asked {
			return errors.New("goodbye twice")
		}
		w.asked = true
		p.retire(w, ReasonNone)
		if w.state == Retiring { // for another reason already, perhaps, which gives its task all the time that it takes
			p.stopWorker(w)
		}
		return nil
	case f.Kind < wire.FrameValue || f.Kind > wire.FrameUnknown:
		return fmt.Errorf("%w: kind %d from a worker", wire.ErrFrame, f.Kind)
	}
	c := w.flight.get(f.Seq)
	if c == nil || c.id != f.ID {
		return fmt.Errorf("result for task %d as number %d, which is not there", f.ID, f.Seq)
	}
	if w.board.Unstarted(f.Seq) {
		c.begun = true
		return fmt.Errorf("result for task %d, which was not started", f.ID)
	}
	var body []byte
	switch {
	case f.Flags&wire.FlagArena != 0:
		var err error
		if body, err = p.collect(w, c, f); err != nil {
			w.forget(f.Seq, c)
			p.fail(c, &EncodeError{Task: c.def.name, What: "collect result", Err: err})
			return err
		}
		if w.flight.get(f.Seq) != c {
			return fmt.Errorf("result for task %d, which was taken back as not started meanwhile", f.ID)
		}
	case c.settled:
	case len(f.Payload) <= len(c.inline):
		body = append(c.inline[:0], f.Payload...)
	default:
		body = append([]byte(nil), f.Payload...)
	}
	w.forget(f.Seq, c)
	w.settled++
	if c.settled {
		p.stats.Late++
		p.publish(Event{Kind: LateResult, Worker: w.info(), TaskID: c.id})
		return nil
	}
	c.data, c.head, c.raw, c.pid, c.ran = body, 0, f.Kind, int32(w.proc.PID()), time.Duration(f.Run)
	if f.Kind == wire.FrameValue {
		p.stats.OK++
	} else {
		p.stats.Failed++
	}
	if c.signal.Load() != nil {
		w.awaited++
	}
	p.settle(c)
	if c.reads != w {
		c.relieve()
	}
	if p.cfg.mutant == mutantSettleTwice {
		c.settled = false
		p.live++
		p.settle(c)
	}
	return nil
}

// collect copies a large result out of the worker's arena, or out of the argument that it is a part of, without Pool.mu,
// and frees the arena. Only the reader calls it, and the process is not released while the reader lives.
func (p *Pool) collect(w *worker, c *call, f *wire.Frame) ([]byte, error) {
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
		shared = encodedPart(ref, down, c.size())
	}
	if !ok || shared == nil {
		return nil, fmt.Errorf("%w: a result outside the arena", wire.ErrFrame)
	}
	w.copying = true
	p.mu.Unlock()
	body := append([]byte(nil), shared...)
	p.mu.Lock()
	w.copying = false
	if f.Flags&wire.FlagPart == 0 {
		w.collected++
		if w.board != nil { // else it was given up meanwhile
			w.board.Collected(w.collected)
			w.collectedOf(c)
		}
	}
	return body, nil
}

// encodedPart is the encoding of bytes of an argument that is so long as a whole. Its head is written over what comes before it:
// the argument is not needed any more, and has a head of its own that is no shorter.
func encodedPart(r wire.Ref, arena []byte, whole int) []byte {
	var head [9]byte
	n := uint64(len(codec.AppendHead(head[:0], codec.BytesMajor, r.Size)))
	if r.Offset < n || r.Slice(arena[:min(whole, len(arena))]) == nil {
		return nil
	}
	copy(arena[r.Offset-n:], head[:n])
	return wire.Ref{Offset: r.Offset - n, Size: r.Size + n}.Slice(arena)
}

// reject notes that w sent what no worker should, and recycles it. Pool.mu is held.
func (p *Pool) reject(w *worker, err error) {
	if w.rejected == nil { // what follows in its socket is likely to be wrong too
		w.rejected = err
		p.stats.Rejected++
		p.publish(Event{Kind: FrameRejected, Worker: w.info(), Err: err})
	}
	w.kill(ReasonProtocol)
}
