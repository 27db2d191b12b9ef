package pool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"

	mathrand "math/rand/v2"

	"github.com/respawn-go/respawn/internal/reexec"
)

// Pool is a set of worker processes. Make it with New and end it with Close. All methods are safe for concurrent use.
type Pool struct {
	cfg      Config
	id       string
	pid      int
	initName string
	initArg  []byte
	guardian guard
	launch   process.Launch // of its workers
	real     bool           // real processes, not fakes
	stdout   passThrough
	stderr   passThrough
	bus      eventBus
	journal  journal
	sent     sync.Map   // of *call by Message.ID: what came by Send and has not settled
	waiters  *sync.Pool // of *waiting; apart, since the runtime holds a sync.Pool for two collections after its last use

	keeperKick   chan struct{}
	dispatchKick chan struct{}
	stopped      chan struct{} // closed when every worker is gone
	wg           sync.WaitGroup
	finishOnce   sync.Once

	mu          sync.Mutex
	state       poolState
	queue       queue
	idle        []*worker // ready workers without a task, the last used last
	slots       []*slot
	workers     map[*worker]struct{} // whose process may be alive
	bench       []*worker            // ready hot spares
	ready       int                  // workers in slots that take tasks
	breaker     breaker
	up          bool      // New has seen every worker ready
	lacks       error     // a start's, of a resource that another try will lack too
	answered    time.Time // when a worker last settled something
	eff         *effects
	keeperNext  time.Time // when the keeper looks next
	clock       patience
	alarms      alarms
	changed     chan struct{} // closed and replaced when something that await waits for changed
	lastSubmit  time.Duration
	rapid       int           // submissions in a row that followed at once
	caller      *call         // the one being accepted, if its caller will wait
	rested      bool          // some reader rested since the keeper's last look
	lone        int           // calls in a row that were alone and followed soon
	busy        int           // workers that have tasks
	slow        int           // of these, workers that are not about to answer
	cost        time.Duration // moving average of what a task takes to run
	held        bool          // the queue waits for a worker that is about to answer
	heldAt      time.Duration
	gathering   bool // the queue waits for callers that are about to come
	blocked     int  // submitters that wait for room in the queue
	live        int  // accepted and not settled
	cut         bool // Terminate ended accepted tasks
	nextID      uint64
	workerCount int
	stats       Stats
	measures    *measures // nil without Config.Measure
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
// ErrInWorker; ErrUnsupported; *CrashLoopError when workers do not come up; a *BootError when this process has not the descriptors
// or the address space for all of them; ctx's error, joined with the last *BootError if there is one.
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
		cfg: cfg, id: newID(), pid: os.Getpid(), guardian: noGuardian{}, real: real, eff: &effects{}, waiters: &sync.Pool{}, workers: make(map[*worker]struct{}),
		keeperKick: make(chan struct{}, 1), dispatchKick: make(chan struct{}, 1), stopped: make(chan struct{}), changed: make(chan struct{}),
	}
	p.stdout.to, p.stderr.to = os.Stdout, os.Stderr
	if cfg.Measure {
		p.measures = &measures{tasks: map[string]*TaskStats{}}
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	for range cfg.Size {
		p.addSlot()
	}
	p.mu.Unlock()
	for range cfg.Spares {
		p.wg.Add(1)
		go p.keepSpare()
	}
	go p.keep()
	go p.dispatchQueue()

	err := p.await(ctx, func() bool { return p.ready == len(p.slots) || p.breaker.isOpen() || p.lacks != nil })
	p.mu.Lock()
	switch cause := p.breaker.cause; {
	case err != nil && cause != nil:
		err = fmt.Errorf("%w; the last worker that did not come up: %w", err, cause)
	case err == nil && p.ready == len(p.slots):
	case err == nil && p.lacks != nil:
		err = p.lacks
	case err == nil:
		err = p.crashLoop()
	}
	p.up = err == nil
	p.mu.Unlock()
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
	if p.launch, err = p.cfg.settle(p.id); err != nil {
		return err
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

// addSlot adds a slot and starts its supervision. Pool.mu is held.
func (p *Pool) addSlot() {
	s := &slot{p: p, index: len(p.slots), number: p.number(nil)}
	p.slots = append(p.slots, s)
	p.wg.Add(1)
	go s.supervise()
}

// running tells whether workers are to be kept up. Pool.mu is held.
func (p *Pool) running() bool { return p.state < stateStopping }

// Workers lists the workers in their slots, by slot. A slot between two workers has its last one, stopped.
func (p *Pool) Workers() []WorkerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []WorkerInfo
	for _, s := range p.slots {
		switch {
		case s.worker != nil:
			list = append(list, s.worker.info())
		case s.lastExit != nil && !s.removed:
			x := s.lastExit
			list = append(list, WorkerInfo{
				Name: x.Worker, Slot: s.index, PID: x.PID, ParentPID: p.pid, Generation: x.Generation,
				State: Stopped, Tasks: x.Settled, LastExit: x,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b WorkerInfo) int { return cmp.Compare(a.Slot, b.Slot) })
	return list
}

// Size is how many workers the pool is to have: Config.Size or the last Resize.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots)
}

// ID is the pool's identity: 16 hex digits, inherited by every descendant of its workers in the environment variable
// RESPAWN_POOL.
func (p *Pool) ID() string { return p.id }

// Subscribe starts a stream of life events with room for buffer of them. It ends when the pool has closed.
func (p *Pool) Subscribe(buffer int) *Subscription { return p.bus.subscribe(buffer) }

// ArmCrashPoint makes the slot's worker kill itself with SIGKILL when its protocol loop next comes by that point;
// CrashNone disarms it. It is for fault injection. It returns the worker it armed, or ErrNoSuchSlot.
func (p *Pool) ArmCrashPoint(slot int, at CrashPoint) (WorkerInfo, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slot < 0 || slot >= len(p.slots) {
		return WorkerInfo{}, fmt.Errorf("%w: %d of %d", ErrNoSuchSlot, slot, len(p.slots))
	}
	w := p.slots[slot].worker
	if w == nil || w.board == nil {
		return WorkerInfo{}, fmt.Errorf("slot %d has no worker just now", slot)
	}
	if !w.board.Arm(wire.CrashPoint(at)) {
		return WorkerInfo{}, fmt.Errorf("%w: only workers that are this program have crash points, and %s is another", errors.ErrUnsupported, w.name)
	}
	return w.info(), nil
}

// publish tells the subscribers, in the order of what happened. Pool.mu is held.
func (p *Pool) publish(e Event) { p.bus.publish(e) }
