package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How long, in virtual time, the pool may take for something once nothing fails any more.
const (
	simLiveness = time.Minute
	simLinger   = 20 * time.Second // after the end, so that forgotten timers go off
)

// run plays the plan and judges what happened.
func (s *simulation) run() {
	simulations.Store(s.number, s)
	defer simulations.Delete(s.number)
	ctx, cancel := context.WithTimeout(context.Background(), simLiveness)
	defer cancel()
	p, err := New(ctx, s.plan.cfg)
	if err != nil {
		s.newFailed = err
		if !s.plan.early || !errors.Is(err, ErrCrashLoop) {
			s.violated("the pool comes up", "New: %v", err)
		}
		s.afterFailure()
		s.afterwards()
		return
	}
	s.pool = p
	s.tell(nil, "the pool is up")
	events := s.listen(p.Subscribe(1 << 9))
	s.noteSlots()
	s.mu.Lock()
	s.faulty, s.up = true, time.Now()
	s.healAt = s.up.Add(s.plan.heal)
	s.mu.Unlock()

	var clients, owners sync.WaitGroup
	for _, lane := range s.plan.lanes {
		clients.Go(func() { s.client(lane) })
	}
	owners.Go(s.administer)
	owners.Go(s.strikeFromOutside)
	owners.Go(s.lookForStranded)
	s.end(&clients, &owners)
	s.afterwards()
	events.Wait()
	s.judge()
}

// afterFailure checks what New leaves behind when it fails.
func (s *simulation) afterFailure() {
	s.mu.Lock()
	processes := slices.Clone(s.processes)
	s.mu.Unlock()
	for _, w := range processes {
		select {
		case <-w.gone:
		default:
			s.violated("nothing is left", "%v is alive after New has failed", w)
		}
	}
}

// listen collects what the pool tells until its end.
func (s *simulation) listen(sub *Subscription) *sync.WaitGroup {
	var all sync.WaitGroup
	all.Go(func() {
		for e := range sub.C {
			s.events = append(s.events, e)
		}
		if sub.Dropped() > 0 {
			s.violated("the books balance", "%d events dropped", sub.Dropped())
		}
	})
	return &all
}

// end brings the pool to its end in the plan's way, and waits for everybody.
func (s *simulation) end(clients, owners *sync.WaitGroup) {
	if s.plan.ending == endsQuiet {
		s.waitFor(clients, s.untilHealed()+simLiveness, "every task settles exactly once", s.unsettled)
		s.waitFor(owners, simLiveness, "the pool comes back", func() string { return "Resize or Restart has not returned" })
		s.recover()
	} else {
		<-time.After(time.Until(s.up.Add(s.plan.endAt)))
	}
	s.mu.Lock()
	s.closing = time.Now()
	s.mu.Unlock()
	s.tell(nil, "the end: %v", s.plan.ending)
	var ends sync.WaitGroup
	ends.Go(s.close)
	s.waitFor(&ends, s.plan.cfg.CloseTimeout+quarantineWait+time.Second, "the pool comes to its end", func() string { return s.plan.ending.String() + " has not returned" })
	s.waitFor(clients, time.Second, "every task settles exactly once", s.unsettled)
	s.waitFor(owners, s.untilHealed()+time.Second, "the pool comes to its end", func() string { return "Resize or Restart has not returned" })
}

// close is the pool's end.
func (s *simulation) close() {
	p := s.pool
	switch s.plan.ending {
	case endsByDrain:
		ctx, cancel := context.WithTimeout(context.Background(), s.plan.cfg.CloseTimeout)
		defer cancel()
		if p.Drain(ctx) == nil {
			s.drained = true
			return
		}
	case endsByBoth:
		go p.Close()
		<-time.After(newDice(s.plan.seed, diceOutside, 1).span(time.Microsecond, 20*time.Millisecond))
	case endsByClose, endsQuiet:
		err := p.Close()
		s.tell(nil, "Close returns %v", err)
		s.drained = err == nil
		if err != nil && s.plan.ending == endsQuiet && !s.unreapable() {
			s.violated("the pool comes to its end", "Close of an idle pool: %v", err)
		}
		return
	}
	p.Terminate()
}

// unreapable tells whether some process is dead and cannot be reaped yet.
func (s *simulation) unreapable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.processes, func(w *simProcess) bool { return w.unreapable })
}

// waitFor waits for a group, and notes a violation when that takes too long.
func (s *simulation) waitFor(g *sync.WaitGroup, limit time.Duration, promise string, what func() string) {
	done := make(chan struct{})
	go func() {
		g.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-s.endless:
	case <-time.After(limit):
		s.violated(promise, "after %v: %s", limit, what())
	}
}

// unsettled names the tasks that have no outcome.
func (s *simulation) unsettled() string {
	text := "without an outcome:"
	for _, t := range s.plan.tasks {
		t.mu.Lock()
		if !t.submitted.IsZero() && t.settles == 0 {
			text += fmt.Sprintf(" %d", t.n)
		}
		t.mu.Unlock()
	}
	return text
}

// recover waits until the pool is whole again, and has each slot answer a probe.
func (s *simulation) recover() {
	if len(s.violations) > 0 {
		return
	}
	p := s.pool
	idle := s.await(simLiveness, func() bool { // what was given up may still run
		running := 0
		for _, w := range p.Workers() {
			running += w.InFlight
		}
		return running == 0
	})
	ctx, cancel := context.WithTimeout(context.Background(), simLiveness)
	defer cancel()
	err := p.await(ctx, func(*state) bool {
		up := p.st.ready + len(p.st.bench)
		return p.st.ready == s.size && len(p.st.bench) == s.plan.cfg.Spares && !p.st.breaker.isOpen() &&
			len(p.st.workers) == up && p.st.stats.Started == p.st.stats.Exits+uint64(up) // turnover is replaced exits
	})
	if err != nil || !idle {
		s.violated("the pool comes back", "size %d: %+v", s.size, p.Stats())
		return
	}
	s.tell(nil, "the pool is whole again")
	s.audit()
	var probes sync.WaitGroup
	for _, t := range s.plan.probes[:s.size] {
		probes.Go(s.submit(t))
	}
	s.waitFor(&probes, simLiveness, "the pool comes back", s.unsettled)
}

// administer does the owner's orders.
func (s *simulation) administer() {
	for _, o := range s.plan.admin {
		<-time.After(time.Until(s.up.Add(o.at)))
		switch o.what {
		case audits:
			s.audit()
		case resizes:
			s.tell(nil, "Resize to %d", o.n)
			if s.pool.Resize(o.n) == nil {
				s.resized, s.shrunk = true, s.shrunk || o.n < s.size
				s.size = o.n
			}
		case restarts:
			s.restart()
		}
	}
}

func (s *simulation) restart() {
	s.restarted = true
	before := s.readyPIDs()
	s.tell(nil, "Restart")
	err := s.pool.Restart(context.Background())
	s.tell(nil, "Restart returns %v", err)
	if err != nil {
		return
	}
	for pid := range s.readyPIDs() {
		if before[pid] {
			s.violated("Restart replaces every worker", "%d is still there", pid)
		}
	}
}

func (s *simulation) readyPIDs() map[int]bool {
	pids := map[int]bool{}
	for _, w := range s.pool.Workers() {
		if w.State == Ready {
			pids[w.PID] = true
		}
	}
	return pids
}

// strikeFromOutside sends the signals that the plan has, and in the end continues what is stopped.
func (s *simulation) strikeFromOutside() {
	d := newDice(s.plan.seed, diceOutside, 0)
	for _, at := range s.plan.strikes {
		<-time.After(time.Until(s.up.Add(at)))
		s.mu.Lock()
		var victim *simProcess
		if len(s.live) > 0 {
			victim = s.live[d.IntN(len(s.live))]
		}
		s.mu.Unlock()
		if victim != nil {
			victim.strike(outside, &simMoment{dice: d})
		}
	}
	<-time.After(s.untilHealed())
	s.tell(nil, "from here on nothing fails any more")
	s.mu.Lock()
	live := append([]*simProcess(nil), s.live...)
	s.mu.Unlock()
	for _, w := range live {
		w.heal()
	}
}

// afterwards waits until every process is released, and a while more.
func (s *simulation) afterwards() {
	gone := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.live) == 0
	}
	if !s.await(simLiveness, gone) {
		s.violated("nothing is left", "%d processes were never released, the first is %v", len(s.live), s.live[0])
	}
	<-time.After(simLinger)
}
