package pool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"sync"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/spool"
	"github.com/respawn-go/respawn/internal/wire"
)

// Pool is a set of worker processes. Make it with New and end it with Close. All methods are safe for concurrent use.
type Pool struct {
	cfg      Config
	id       string
	pid      int
	guardian guard
	sent     sentCalls
	// of *waiting; apart, since the runtime holds a sync.Pool for two collections after its last use
	waiters *sync.Pool
	origin
	voices
	threads

	mu sync.Mutex
	st state // what mu guards: lock gives it
}

// origin is what every worker of a pool begins with.
type origin struct {
	real     bool // a process, not a fake
	launch   process.Launch
	initName string
	initArg  []byte
}

// voices are how a pool tells what happens in it.
type voices struct {
	stdout, stderr passThrough // of the workers
	bus            eventBus
	journal        spool.Spool[slog.Record]
}

// threads are a pool's goroutines: the supervisors of slots and spares, which wg counts, the keeper and the dispatcher.
type threads struct {
	wg           sync.WaitGroup
	keeperKick   chan struct{}
	dispatchKick chan struct{}
	stopped      chan struct{} // closed when every worker is gone
	finishOnce   sync.Once
}

// poolState is how far a pool is in its life.
type poolState uint8

const (
	stateOpen     poolState = iota
	stateDraining           // no new tasks; finishes what it has
	stateStopping           // everything is settled; workers are asked to stop
	stateClosed             // terminated: workers are killed
)

// New starts the workers and waits until all of them are ready; ctx bounds that wait and nothing after it. On any error
// everything that was started is gone when New returns. Errors: what Config.Validate finds; ErrMainNotCalled;
// ErrInWorker; ErrUnsupported; *CrashLoopError when workers do not come up; a *BootError when this process has not the
// descriptors or the address space for all of them; ctx's error, joined with the last *BootError if there is one.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	real := false
	if cfg.start == nil {
		if reexec.Worker.Is() {
			return nil, ErrInWorker
		}
		if err := reexec.Check(); err != nil {
			return nil, err
		}
		cfg.start, real = process.Start, true
	}
	if cfg.jitter == nil {
		cfg.jitter = mathrand.Float64
	}
	p := &Pool{
		cfg: cfg, id: newID(), pid: os.Getpid(), guardian: noGuardian{}, waiters: &sync.Pool{},
		origin: origin{real: real},
		threads: threads{
			keeperKick: make(chan struct{}, 1), dispatchKick: make(chan struct{}, 1), stopped: make(chan struct{}),
		},
	}
	p.st = state{
		Pool: p, eff: &effects{}, staff: staff{workers: make(map[*worker]struct{})}, changed: make(chan struct{}),
	}
	p.stdout, p.stderr, p.journal = newPassThrough(os.Stdout), newPassThrough(os.Stderr), newJournal(cfg.Logger)
	if cfg.Measure {
		p.st.measures = &measures{tasks: map[string]*TaskStats{}}
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	st := p.lock()
	for range cfg.Size {
		st.addSlot()
	}
	st.unlock()
	for range cfg.Spares {
		p.wg.Add(1)
		go p.keepSpare()
	}
	go p.keep()
	go p.dispatchQueue()

	err := p.await(ctx,
		func(st *state) bool { return st.ready == len(st.slots) || st.breaker.Open() || st.lacks != nil })
	st = p.lock()
	switch cause := st.breaker.Cause(); {
	case err != nil && cause != nil:
		err = fmt.Errorf("%w; the last worker that did not come up: %w", err, cause)
	case err == nil && st.ready == len(st.slots):
	case err == nil && st.lacks != nil:
		err = st.lacks
	case err == nil:
		err = st.crashLoop()
	}
	st.up = err == nil
	st.notify() // spares may wait for it
	st.unlock()
	if err != nil {
		p.Terminate()
		return nil, fmt.Errorf("start the pool: %w", err)
	}
	return p, nil
}

// prepare encodes the initializer's argument, settles how workers are started, and starts the guardian.
func (p *Pool) prepare() (err error) {
	if init := p.cfg.Initializer; init != nil {
		p.initName = init.name
		if p.initArg, err = init.arg(); err != nil {
			return fmt.Errorf("pool: encode the argument of initializer %q: %w", init.name, err)
		}
	}
	if p.launch, err = p.cfg.launch(p.id); err != nil {
		return err
	}
	if p.real {
		p.launch.ForkApart()
	}
	if err = p.startGuardian(); err != nil {
		p.launch.Close()
	}
	return err
}

// newID makes the identity by which a pool's descendants are recognised.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

// running tells whether workers are to be kept up.
func (st *state) running() bool { return st.stage < stateStopping }

// Workers lists the workers in their slots, by slot. A slot between two workers has its last one, stopped.
func (p *Pool) Workers() []WorkerInfo {
	st := p.lock()
	defer st.unlock()
	var list []WorkerInfo
	for _, s := range st.slots {
		switch {
		case s.worker != nil:
			list = append(list, s.worker.info())
		case s.lastExit != nil && !s.removed:
			x := s.lastExit
			list = append(list, WorkerInfo{
				Name: x.Worker, Slot: s.index, PID: x.PID, ParentPID: st.pid, Generation: x.Generation,
				State: Stopped, Tasks: x.Settled, LastExit: x,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b WorkerInfo) int { return cmp.Compare(a.Slot, b.Slot) })
	return list
}

// Size is how many workers the pool is to have: Config.Size or the last Resize.
func (p *Pool) Size() int {
	st := p.lock()
	defer st.unlock()
	return len(st.slots)
}

// ID is the pool's identity: 16 hex digits, inherited by every descendant of its workers in the environment variable
// RESPAWN_POOL.
func (p *Pool) ID() string { return p.id }

// Subscribe starts a stream of life events with room for buffer of them. It ends when the pool has closed.
func (p *Pool) Subscribe(buffer int) *Subscription { return p.bus.subscribe(buffer) }

// ArmCrashPoint makes the slot's worker kill itself with SIGKILL when its protocol loop next comes by that point;
// CrashNone disarms it. It is for fault injection. It returns the worker it armed, or ErrNoSuchSlot.
func (p *Pool) ArmCrashPoint(slot int, at CrashPoint) (WorkerInfo, error) {
	st := p.lock()
	defer st.unlock()
	if slot < 0 || slot >= len(st.slots) {
		return WorkerInfo{}, fmt.Errorf("%w: %d of %d", ErrNoSuchSlot, slot, len(st.slots))
	}
	w := st.slots[slot].worker
	if w == nil || w.board == nil {
		return WorkerInfo{}, fmt.Errorf("slot %d has no worker just now", slot)
	}
	if !w.board.Arm(wire.CrashPoint(at)) {
		return WorkerInfo{}, fmt.Errorf("%w: only workers that are this program have crash points, and %s is another",
			errors.ErrUnsupported, w.name)
	}
	return w.info(), nil
}
