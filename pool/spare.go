package pool

// adopt takes a worker from the spare bench for the slot; nil when there is none.
func (p *Pool) adopt(s *slot) *worker {
	p.mu.Lock()
	defer p.unlock()
	if len(p.bench) == 0 || !s.wanted() {
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
		probe, ok := p.admit(failures, p.running)
		if !ok {
			return
		}
		w := p.boot(nil, probe)
		if w == nil {
			failures++
			continue
		}
		failures = 0
		select {
		case <-w.adopted:
		case <-w.exited:
			if p.leaveBench(w) {
				p.tend(w)
			}
		}
	}
}

// leaveBench takes a dead spare off the bench; false when a slot has adopted it meanwhile and tends it.
func (p *Pool) leaveBench(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, have := range p.bench {
		if have == w {
			p.bench = append(p.bench[:i:i], p.bench[i+1:]...)
			w.state = Retiring // it was never counted as ready
			return true
		}
	}
	return false
}
