package pool

import "slices"

// slot is one place in the pool, filled by one worker after another. Its fields belong to who has the lock.
type slot struct {
	p        *Pool
	index    int
	gen      int
	worker   *worker // nil between two
	removed  bool    // by Resize
	number   int     // its first worker's, so that those of a new pool are listed in order; 0: taken
	pinned   queue   // tasks for this slot alone
	lastExit *Exit
}

// addSlot adds a slot and starts its supervision.
func (st *state) addSlot() {
	s := &slot{p: st.Pool, index: len(st.slots), number: st.number(nil)}
	st.slots = append(st.slots, s)
	st.wg.Add(1)
	go s.supervise()
}

// supervise keeps the slot filled until the pool stops or the slot is removed.
func (s *slot) supervise() {
	p := s.p
	defer p.wg.Done()
	failures := 0
	for {
		w, probe, ok := p.admit(s, failures)
		if !ok {
			return
		}
		if w == nil {
			if w = p.boot(s, probe, &failures); w == nil {
				continue
			}
		}
		p.tend(w).count(&failures)
		if p.cfg.mutant == mutantNoRestart {
			return
		}
	}
}

// wanted tells whether the slot is to be filled.
func (s *slot) wanted(st *state) bool { return !s.removed && st.running() }

// adopt takes a worker from the spare bench for the slot; nil when there is none.
func (st *state) adopt(s *slot) *worker {
	if len(st.bench) == 0 {
		return nil
	}
	w := st.bench[0]
	st.bench = st.bench[1:]
	s.gen++
	w.slot, w.gen, w.lastExit, s.worker = s, s.gen, s.lastExit, w
	close(w.adopted)
	st.enlist(w)
	return w
}

// keepSpare keeps one place of the spare bench filled.
func (p *Pool) keepSpare() {
	defer p.wg.Done()
	failures := 0
	for {
		_, probe, ok := p.admit(nil, failures)
		if !ok {
			return
		}
		w := p.boot(nil, probe, &failures)
		if w == nil {
			continue
		}
		select {
		case <-w.adopted:
			failures = 0
			continue
		case <-w.exited:
		case <-w.stuck:
		}
		if p.unadopted(w) {
			p.tend(w).count(&failures)
		}
	}
}

// unadopted takes a spare that is at its end off the bench; false when a slot has adopted it meanwhile and tends it.
func (p *Pool) unadopted(w *worker) bool {
	st := p.lock()
	defer st.unlock()
	if w.slot != nil {
		return false
	}
	st.offBench(w)
	w.state = Retiring // it was never counted as ready
	return true
}

// offBench takes a spare off the bench, if it is there.
func (st *state) offBench(w *worker) {
	if i := slices.Index(st.bench, w); i >= 0 {
		st.bench = slices.Delete(st.bench, i, i+1)
	}
}
