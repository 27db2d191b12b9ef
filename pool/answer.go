package pool

import (
	"errors"
	"fmt"
	"time"
)

// receive takes every whole frame out of the buffer. It reports whether the worker can be read on.
func (w *worker) receive(in *frameBuffer) bool {
	p := w.p
	var f frame
	var batch int
	var ran time.Duration
	p.mu.Lock()
	defer p.unlock()
	w.awaited = 0
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
	if w.torn = in.start != in.end; w.torn && p.keeperNext.After(p.clock.now().Add(minSilence)) {
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
	return w.board.fault()
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
func (p *Pool) take(w *worker, f *frame) error {
	switch {
	case f.kind == frameReady || f.kind == frameBootFailed:
		return w.booted(f)
	case f.kind == frameGoodbye:
		if w.asked {
			return errors.New("goodbye twice")
		}
		w.asked = true
		p.retire(w, ReasonNone)
		if w.state == Retiring { // for another reason already, perhaps, which gives its task all the time that it takes
			p.stopWorker(w)
		}
		return nil
	case f.kind < frameValue || f.kind > frameUnknown:
		return fmt.Errorf("%w: kind %d from a worker", errFrame, f.kind)
	}
	c := w.flight.get(f.seq)
	if c == nil || c.id != f.id {
		return fmt.Errorf("result for task %d as number %d, which is not there", f.id, f.seq)
	}
	if w.board.unstarted(f.seq) {
		c.begun = true
		return fmt.Errorf("result for task %d, which was not started", f.id)
	}
	var body []byte
	switch {
	case f.flags&flagArena != 0:
		var err error
		if body, err = p.collect(w, c, f); err != nil {
			w.forget(f.seq, c)
			p.fail(c, &EncodeError{Task: c.def.name, What: "collect result", Err: err})
			return err
		}
		if w.flight.get(f.seq) != c {
			return fmt.Errorf("result for task %d, which was taken back as not started meanwhile", f.id)
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
	c.data, c.head, c.raw, c.pid, c.ran = body, 0, f.kind, int32(w.proc.pid()), time.Duration(f.run)
	if f.kind == frameValue {
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
func (p *Pool) collect(w *worker, c *call, f *frame) ([]byte, error) {
	down, up := w.proc.arenas()
	ref, ok := parseArenaRef(f.payload)
	if f.kind != frameValue && ref.size > maxFrame {
		return nil, fmt.Errorf("%w: a failure of %d bytes, at most %d", errFrame, ref.size, maxFrame)
	}
	shared := ref.slice(up)
	if f.flags&flagPart != 0 {
		if w.large != c || !c.copied {
			return nil, fmt.Errorf("%w: a part of an argument outside the arena", errFrame)
		}
		shared = ref.part(down, c.size())
	}
	if !ok || shared == nil {
		return nil, fmt.Errorf("%w: a result outside the arena", errFrame)
	}
	w.copying = true
	p.mu.Unlock()
	body := append([]byte(nil), shared...)
	p.mu.Lock()
	w.copying = false
	if f.flags&flagPart == 0 {
		w.collected++
		if w.board != nil { // else it was given up meanwhile
			w.board.collected(w.collected)
		}
	}
	return body, nil
}

// part is the encoding of bytes of an argument that is so long as a whole. Its head is written over what comes before it:
// the argument is not needed any more, and has a head of its own that is no shorter.
func (r arenaRef) part(arena []byte, whole int) []byte {
	var head [9]byte
	n := uint64(len(appendHead(head[:0], cborBytes, r.size)))
	if r.offset < n || r.slice(arena[:min(whole, len(arena))]) == nil {
		return nil
	}
	copy(arena[r.offset-n:], head[:n])
	return arenaRef{r.offset - n, r.size + n}.slice(arena)
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
