package pool

import "slices"

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
