package pool

import "slices"

// adopt takes a worker from the spare bench for the slot; nil when there is none. Pool.mu is held.
func (p *Pool) adopt(s *slot) *worker {
	if len(p.bench) == 0 {
		return nil
	}
	w := p.bench[0]
	p.bench = p.bench[1:]
	s.gen++
	w.slot, w.gen, w.lastExit, s.worker = s, s.gen, s.lastExit, w
	close(w.adopted)
	p.enlist(w)
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.slot != nil {
		return false
	}
	p.offBench(w)
	w.state = Retiring // it was never counted as ready
	return true
}

// offBench takes a spare off the bench, if it is there. Pool.mu is held.
func (p *Pool) offBench(w *worker) {
	if i := slices.Index(p.bench, w); i >= 0 {
		p.bench = slices.Delete(p.bench, i, i+1)
	}
}
