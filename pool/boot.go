package pool

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// boot starts a worker, for the slot or if that is nil for the spare bench, and waits until it is ready. nil means that
// it did not come up; that has been counted and, unless somebody ended it, told.
func (p *Pool) boot(s *slot, probe bool, failures *int) *worker {
	if p.cfg.Command != nil {
		defer p.takesPlace()()
	}
	w, err := p.start(s, probe)
	if err == nil {
		err = p.awaitReady(w)
	}
	if err == nil {
		return w
	}
	st := p.lock()
	defer st.unlock()
	// spaces the next starts, those of killed ones too: who kills one may kill them all, as the kernel out of memory
	*failures++
	var boot *BootError
	if st.stage >= stateStopping || s != nil && s.removed {
		if probe {
			st.breaker.NoProbe()
		}
		st.closeIfFull()
		st.notify()
		return nil
	}
	killed := errors.As(err, &boot) && boot.Exit.PID != 0 && boot.Exit.fromOutside()
	if !killed || st.alone() {
		st.publish(Event{Kind: BootFailed, Worker: w.info(), Err: err})
	}
	if s != nil && !st.up && process.Scarce(err) {
		st.lacks = err
	}
	st.fails(err, killed, probe)
	st.closeIfFull()
	st.notify()
	return nil
}

// crowded tells whether as many workers boot as may at a time. An interpreter's imports use a processor for seconds:
// more of them at once than there are processors end no earlier, and all too late for Config.BootTimeout. Spares come
// after those that New waits for.
func (st *state) crowded(s *slot) bool {
	return st.cfg.Command != nil && (st.boots >= runtime.GOMAXPROCS(0) || s == nil && !st.up)
}

// takesPlace gives the place that admit took for a boot back when the boot has ended and calls what it returns, or
// before, after an eighth of Config.BootTimeout: a boot that takes longer probably waits for something, and uses no
// processor.
func (p *Pool) takesPlace() (bootEnds func()) {
	st := p.lock()
	defer st.unlock()
	taken := true
	leave := func() { // with the lock
		if taken {
			taken = false
			st.boots--
			st.notify()
		}
	}
	limit := st.after(st.cfg.BootTimeout/8, leave)
	return func() {
		st := p.lock()
		defer st.unlock()
		st.stopAlarm(limit)
		leave()
	}
}

// start starts a worker process and the goroutines that serve it.
func (p *Pool) start(s *slot, probe bool) (*worker, error) {
	st := p.lock()
	w := &worker{
		p: p, name: fmt.Sprintf("Worker-%d", st.number(s)), slot: s, started: time.Now(),
		milestones: milestones{
			ready: make(chan *BootError, 1), drained: make(chan struct{}), exited: make(chan struct{}),
			stuck: make(chan struct{}), adopted: make(chan struct{}),
		},
		ways: ways{booting: true, probe: probe}, workload: workload{window: 1, pos: -1},
		inbox: inbox{readSize: minRead, readAgain: make(chan struct{}, 1)},
	}
	if s != nil {
		s.gen++
		w.gen, w.lastExit = s.gen, s.lastExit
	}
	greeting := wire.Hello{
		Pool: st.id, Worker: w.name, Init: st.initName, InitArg: st.initArg, MaxPayload: int64(st.cfg.MaxPayload),
	}
	st.unlock()

	proc, err := p.cfg.start(p.spec(w))
	if err != nil {
		return w, &BootError{Worker: w.name, Reason: "could not be started", Err: err}
	}
	p.guardWatch(proc)

	st = p.lock()
	defer st.unlock()
	w.proc, w.board = proc, proc.Record()
	payload := greeting.Append(nil)
	if st.cfg.Command != nil {
		payload = greeting.Encode()
	}
	w.out = wire.AppendFrame(w.out, &wire.Frame{Kind: wire.FrameHello, Payload: payload})
	w.dirty = true
	st.eff.dirty = append(st.eff.dirty, w)
	st.workers[w] = struct{}{}
	if s != nil {
		s.worker = w
	}
	st.stats.Started++
	st.publish(Event{Kind: WorkerStarted, Worker: w.info()})
	go w.readLoop()
	go w.reap()
	if st.stage >= stateStopping {
		w.kill(st, ReasonStop)
	}
	return w, nil
}

// spec is what w's process is started with.
func (p *Pool) spec(w *worker) process.Spec {
	s := process.Spec{Worker: w.name, Slot: -1, Launch: p.launch, MaxPayload: int64(p.cfg.MaxPayload)}
	s.Unsealed = p.cfg.mutant == mutantUnsealed
	if w.slot != nil {
		s.Slot = w.slot.index
	}
	if p.cfg.Command != nil && !p.cfg.NoCgroup {
		s.Memory = int64(p.cfg.HardMemory)
	}
	s.Stdout, s.Stderr = p.stdout.sink(p.cfg.Stdout, w.name), p.stderr.sink(p.cfg.Stderr, w.name)
	return s
}

// number is the next worker's: the one reserved for the slot's first, or a new one.
func (st *state) number(s *slot) (n int) {
	if s != nil && s.number > 0 {
		n, s.number = s.number, 0
		return n
	}
	st.workerCount++
	return st.workerCount
}

// awaitReady waits for the end of w's boot, and sees it to its end if that is not ready.
func (p *Pool) awaitReady(w *worker) error {
	command := p.cfg.Command != nil
	late := make(chan struct{})
	st := p.lock()
	timeout := st.after(st.cfg.BootTimeout, func() { close(late) })
	st.unlock()
	defer func() {
		st = p.lock()
		st.stopAlarm(timeout)
		st.unlock()
	}()
	boot := &BootError{Worker: w.name, Reason: "exited before it was ready"}
	select {
	case said := <-w.ready:
		if said == nil {
			if boot.Err = p.confine(w); boot.Err == nil && p.install(w) {
				return nil
			}
			boot.Reason = "could not be limited or was not wanted any more"
		} else {
			boot = said
		}
		p.kill(w, ReasonBoot)
	case <-w.exited:
	case <-late:
		boot.Reason = fmt.Sprintf(
			"was not ready within %v: does the program call pool.Main first, and does its initializer end?",
			p.cfg.BootTimeout)
		if command {
			boot.Reason = fmt.Sprintf(
				"did not say ready within %v: is the command a worker (docs/wire.md), and do its imports end?",
				p.cfg.BootTimeout)
		}
		p.kill(w, ReasonBoot)
	}
	exit := p.awaitEnd(w)
	select {
	case said := <-w.ready: // it said why before it exited
		if said != nil {
			boot = said
		}
	default:
	}
	boot.Exit, boot.command = exit, command
	st = p.lock()
	if boot.Err == nil {
		boot.Err = w.rejected
	}
	if w.rejected != nil && boot.Err == nil {
		boot.Reason, boot.Err = "sent what no worker should", w.rejected
	}
	st.unlock()
	return boot
}

// booted handles what a worker says at the end of its boot.
func (w *worker) booted(f *wire.Frame) error {
	var result *BootError
	if w.p.cfg.Command != nil {
		result = w.externalBooted(f)
	} else if f.Kind == wire.FrameBootFailed {
		var wire wire.Error
		if err := codec.DecodeFailure(f.Payload, &wire); err != nil {
			return fmt.Errorf("boot failure: %w", err)
		}
		result = &BootError{Worker: w.name, Reason: "initializer failed", Err: unpackError("initializer", wire)}
	} else if n, hash := serve.Registry.Fingerprint(int(f.Seq)); n != int(f.Seq) || hash != f.ID {
		result = &BootError{Worker: w.name, Reason: "registered other tasks than the parent: register in " +
			"package-level variables, whatever the environment"}
	}
	if w.booting {
		w.booting = false
		w.ready <- result
		return nil
	}
	return errors.New("ready twice")
}

// confine applies the hard limit, which a Go program needs to have booted for; one of another language may be born with
// it. It tells the guardian of the cgroup.
func (p *Pool) confine(w *worker) error {
	if p.cfg.HardMemory == 0 {
		return nil
	}
	noCgroup, err := w.proc.Confine(int64(p.cfg.HardMemory), !p.cfg.NoCgroup)
	if err != nil {
		return err
	}
	if noCgroup != nil {
		p.warn("the memory of a worker is limited by RLIMIT_DATA: it has no cgroup",
			"worker", w.name, "cause", noCgroup)
	}
	p.guardWatch(w.proc)
	return nil
}

// install makes a booted worker take tasks, or sit on the spare bench. It reports whether it is still wanted.
func (p *Pool) install(w *worker) bool {
	st := p.lock()
	defer st.unlock()
	if st.stage >= stateStopping || w.state != Starting || w.killed || w.slot != nil && w.slot.removed {
		w.kill(st, ReasonStop)
		return false
	}
	w.readyAt = time.Now()
	w.state = Ready
	w.lastExit = nil
	if w.slot == nil {
		st.bench = append(st.bench, w)
	} else {
		w.lastExit = w.slot.lastExit
		st.enlist(w)
	}
	w.settling = st.after(readySettle, func() {
		if w.state != Ready || !w.died.IsZero() {
			return
		}
		st.breaker.EndRow()
		if w.probe {
			st.staysUp(w)
		}
	})
	st.notify()
	return true
}

// enlist gives a ready worker its first tasks.
func (st *state) enlist(w *worker) {
	st.ready++
	st.countWindow(w)
	st.publish(Event{Kind: WorkerReady, Worker: w.info()})
	st.feed(w, st.share(w))
	st.closeIfFull()
	st.lookAtNew(w)
	st.notify()
}

func (p *Pool) kill(w *worker, reason Reason) {
	st := p.lock()
	defer st.unlock()
	w.kill(st, reason)
}
