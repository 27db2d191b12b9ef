package pool

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
)

// simulation is one run of the real pool over fake processes in virtual time.
type simulation struct {
	plan   *simPlan
	number uint64 // in simulations
	start  time.Time
	pool   *Pool
	events []Event // what the pool told

	mu              sync.Mutex
	faulty          bool
	bootKills       bool      // every worker is killed while it boots
	up              time.Time // when New had returned
	healAt          time.Time // from then on nothing fails any more
	processes       []*simProcess
	live            []*simProcess // not released
	byPID           map[int]*simProcess
	drained         bool                // Close or Drain said that everything settled by itself
	attempts        []simAttempt        // to start a process
	starts          [simMaxSize + 1]int // of these, by slot; the spares' come first
	trace           []simLine
	violations      []string
	newFailed       error
	closing         time.Time // when the end of the pool began; zero: it did not
	resized, shrunk bool      // by Resize
	restarted       bool
	size            int
	firstSlots      map[int]int   // by pid, of the workers that New started
	endless         chan struct{} // closed when a task runs again and again
	endlessOnce     sync.Once
}

// simAttempt is one attempt of the pool to start a process.
type simAttempt struct {
	slot int
	at   time.Time
	w    *simProcess
}

var simCount atomic.Uint64

func newSimulation(seed uint64, m mutant) *simulation {
	s := &simulation{plan: newSimPlan(seed), number: simCount.Add(1), start: time.Now(), byPID: map[int]*simProcess{}, endless: make(chan struct{})}
	s.faulty, s.up, s.healAt = s.plan.early, s.start, s.start.Add(s.plan.heal)
	s.size = s.plan.cfg.Size
	c := &s.plan.cfg
	c.mutant, c.start = m, s.startProcess
	if seed%2 == 0 {
		c.lone = -1 // readers stop whenever they may
	}
	c.jitter = newDice(seed, diceJitter, 0).Float64
	c.Initializer = simInit.With(s.number)
	return s
}

// startProcess is the process seam.
func (s *simulation) startProcess(spec process.Spec) (process.Process, error) {
	s.mu.Lock()
	s.starts[spec.Slot+1]++
	w := newSimProcess(s, spec.Slot, s.starts[spec.Slot+1])
	s.attempts = append(s.attempts, simAttempt{spec.Slot, w.born, w})
	s.mu.Unlock()
	x := w.moment()
	w.fault(atSpawn, x)
	<-time.After(w.dice.span(200*time.Microsecond, 3*time.Millisecond))
	if x.err != nil {
		return nil, x.err
	}
	w.server = serve.New(w.host())
	s.mu.Lock()
	s.byPID[w.PID()] = w
	s.processes, s.live = append(s.processes, w), append(s.live, w)
	s.mu.Unlock()
	s.tell(w, "is started")
	go w.run()
	return w, nil
}

// moment is for a fault of the worker's own.
func (w *simProcess) moment() *simMoment { return &simMoment{dice: w.dice} }

// fault strikes the worker if the weather has it so.
func (w *simProcess) fault(at simSite, x *simMoment) {
	if x.dice.chance(w.sim.plan.weather.rate[at]) && w.sim.isFaulty() {
		w.strike(at, x)
	}
	w.pass()
}

// strike picks one of the site's faults and does it.
func (w *simProcess) strike(at simSite, x *simMoment) {
	f := simFaults[x.dice.weighted(len(simFaults), func(i int) int {
		if simFaults[i].at == at {
			return simFaults[i].weight
		}
		return 0
	})]
	w.sim.tell(w, "fault: %s", f.name)
	f.do(w, x)
}

func (s *simulation) isFaulty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faulty && time.Now().Before(s.healAt)
}

func (s *simulation) untilHealed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.healAt), 0)
}

// initialize is the initializer of every worker.
func (s *simulation) initialize() error {
	s.mu.Lock()
	since := time.Since(s.up)
	s.mu.Unlock()
	if s.isFaulty() && since >= s.plan.broken[0] && since < s.plan.broken[1] {
		return errSimInit
	}
	return nil
}

// workerOf finds the process that runs the task of that context.
func (s *simulation) workerOf(ctx context.Context) *simProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.live {
		if w.server.Runs(ctx) {
			return w
		}
	}
	panic("a handler runs in no worker")
}

// taskOf is the task of that argument.
func (s *simulation) taskOf(arg []byte) *simTask {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan.tasks[binary.LittleEndian.Uint64(arg[8:])]
}

// begin notes that the worker starts to run the task.
func (w *simProcess) begin(t *simTask, ctx *serve.Context) *simExec {
	e := &simExec{task: t, w: w, id: ctx.ID(), seq: ctx.Seq(), attempt: ctx.Attempt(), began: time.Now()}
	w.mu.Lock()
	w.execs = append(w.execs, e)
	w.mu.Unlock()
	t.mu.Lock()
	t.execs = append(t.execs, e)
	runs := len(t.execs)
	t.mu.Unlock()
	w.sim.tell(w, "runs task %d, attempt %d", t.n, e.attempt)
	if b := w.sim.plan.cfg.withDefaults().Budgets; runs > b.Crashes+b.OOM+b.Killed+maxAttempts {
		w.sim.runsForEver(t, runs)
	}
	return e
}

// runsForEver ends a run whose task no budget ends: each of its deaths makes the story longer, and judging that takes longer and
// longer.
func (s *simulation) runsForEver(t *simTask, runs int) {
	s.endlessOnce.Do(func() {
		s.violated("death budgets are kept", "task %d was started %d times", t.n, runs)
		close(s.endless)
	})
}

func (s *simulation) released(w *simProcess) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, have := range s.live {
		if have == w {
			s.live = append(s.live[:i:i], s.live[i+1:]...)
			return
		}
	}
}

// violated notes that a promise was broken.
func (s *simulation) violated(promise, format string, args ...any) {
	v := promise + ": " + fmt.Sprintf(format, args...)
	s.tell(nil, "VIOLATED %s", v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, v)
}

// await waits until cond, looking less and less often; false says that it did not come within the limit.
func (s *simulation) await(limit time.Duration, cond func() bool) bool {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; !cond(); pause += pause / 4 {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(pause)
	}
	return true
}
