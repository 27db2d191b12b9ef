package pool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
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
	owners.Go(s.watchForStranded)
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
		s.waitFor(owners, simLiveness, "the pool comes back",
			func() string { return "Resize or Restart has not returned" })
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
	s.waitFor(&ends, s.plan.cfg.CloseTimeout+quarantineWait+time.Second, "the pool comes to its end",
		func() string { return s.plan.ending.String() + " has not returned" })
	s.waitFor(clients, time.Second, "every task settles exactly once", s.unsettled)
	s.waitFor(owners, s.untilHealed()+time.Second, "the pool comes to its end",
		func() string { return "Resize or Restart has not returned" })
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
		return p.st.ready == s.size && len(p.st.bench) == s.plan.cfg.Spares && !p.st.breaker.Open() &&
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
	drained         bool         // Close or Drain said that everything settled by itself
	attempts        []simAttempt // to start a process
	starts          map[int]int  // of these, by slot
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
	s := &simulation{
		starts: map[int]int{}, plan: newSimPlan(seed), number: simCount.Add(1), start: time.Now(),
		byPID: map[int]*simProcess{}, endless: make(chan struct{}),
	}
	s.faulty, s.up, s.healAt = s.plan.early, s.start, s.start.Add(s.plan.heal)
	s.size = s.plan.cfg.Size
	c := &s.plan.cfg
	c.mutant, c.start = m, s.startProcess
	if seed%2 == 0 {
		c.directAfter = -1 // readers stop whenever they may
	}
	c.jitter = newDice(seed, diceJitter, 0).Float64
	c.Initializer = simInit.With(s.number)
	return s
}

// startProcess is the process seam.
func (s *simulation) startProcess(spec process.Spec) (process.Process, error) {
	s.mu.Lock()
	s.starts[spec.Slot]++
	w := newSimProcess(s, spec.Slot, s.starts[spec.Slot])
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

// runsForEver ends a run whose task no budget ends: each of its deaths makes the story longer, and judging that takes
// longer and longer.
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

// simFate is what became of a task.
type simFate struct {
	mu        sync.Mutex
	execs     []*simExec // the truth, from the fake workers
	submitted time.Time
	accepted  bool      // it was, and the client knows its outcome in full
	settles   int       // how often it settled
	settledAt time.Time // the first time
	known     bool      // err and value are its outcome
	value     []byte
	err       error
	outcome   Outcome
	loose     bool // its stream was left or cancelled: whatever became of it is fine
}

// options are the task's, as the pool's API takes them.
func (t *simTask) options() (opts []Option) {
	if t.timeout > 0 {
		opts = append(opts, WithTimeout(t.timeout))
	}
	if t.delivery == AtMostOnce {
		opts = append(opts, WithDelivery(AtMostOnce))
	}
	if t.slot >= 0 {
		opts = append(opts, OnSlot(t.slot))
	}
	return opts
}

// context is cancelled when the task is to be.
func (t *simTask) context() (context.Context, context.CancelFunc) {
	if t.cancel > 0 {
		return context.WithTimeout(context.Background(), t.cancel)
	}
	return context.Background(), func() {}
}

func (t *simTask) submits() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.submitted = time.Now()
}

func (t *simTask) settled() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settles++
	if t.settles == 1 {
		t.settledAt = time.Now()
	}
}

func (t *simTask) learned(value []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.value, t.err = true, value, err
	if t.settledAt.IsZero() {
		t.settledAt = time.Now()
	}
}

// client does one lane of the plan, and waits for everything it submitted.
func (s *simulation) client(lane []simStep) {
	var waits []func()
	for _, step := range lane {
		<-time.After(step.wait)
		switch step.how {
		case bySubmit:
			for _, t := range step.tasks {
				waits = append(waits, s.submit(t))
			}
		case byCall:
			for _, t := range step.tasks {
				s.call(t)
			}
		default:
			s.stream(step)
		}
	}
	for _, wait := range waits {
		wait()
	}
}

// submit is Task.Submit with an eye on how often the task settles. The function it returns waits for the outcome.
func (s *simulation) submit(t *simTask) (wait func()) {
	t.submits()
	ctx, cancel := t.context()
	f := simWork.make(t.argument(s.number), t.options(), false)
	f.call.more().settle = func() {
		s.tell(nil, "task %d settles: %v", t.n, f.call.err)
		t.settled()
	}
	s.tell(nil, "task %d is submitted", t.n)
	if s.pool.submit(ctx, &f.call) == nil && ctx.Done() != nil {
		s.pool.cancelWhenDone(ctx, &f.call)
	}
	return func() {
		v, err := f.Result(context.Background())
		t.learned(v, err)
		t.mu.Lock()
		t.outcome, t.accepted = f.Outcome(), f.TaskID() > 0
		t.mu.Unlock()
		cancel()
	}
}

func (s *simulation) call(t *simTask) {
	ctx, cancel := t.context()
	defer cancel()
	t.submits()
	s.tell(nil, "task %d is called", t.n)
	v, err := t.call(ctx, via(s.pool), t.argument(s.number))
	s.tell(nil, "task %d returns: %v", t.n, err)
	t.learned(v, err)
	t.settled()
}

// call is Task.Call, or for some tasks Borrow, whose bytes are looked at when others have had time to write to them.
func (t *simTask) call(ctx context.Context, r Runner, arg []byte) ([]byte, error) {
	if t.n%2 == 0 {
		return simWork.Call(ctx, r, arg, t.options()...)
	}
	loan, err := Borrow(ctx, r, Task[[]byte, Lent](simWork), arg, t.options()...)
	if err != nil {
		return nil, err
	}
	if t.n%16 == 1 {
		t.kept = loan // and never gives it back: its bytes are looked at in the end
		return loan.Bytes(), nil
	}
	defer loan.Release()
	<-time.After(t.work)
	return bytes.Clone(loan.Bytes()), nil
}

// stream runs a step's tasks as Stream, StreamUnordered or Map.
func (s *simulation) stream(step simStep) {
	ctx, cancel := step.tasks[0].context()
	defer cancel()
	var args [][]byte
	for _, t := range step.tasks {
		t.submits()
		args = append(args, t.argument(s.number))
	}
	opts := step.tasks[0].options()
	s.tell(nil, "tasks %d to %d are streamed", step.tasks[0].n, step.tasks[len(args)-1].n)
	i := 0
	for v, err := range s.outcomes(ctx, step, args, opts) {
		var ended bool
		if t := step.taskOf(i, v, err); t != nil && (err == nil || ctx.Err() == nil) {
			t.learned(v, err)
			t.settled()
		} else {
			ended = ctx.Err() != nil
		}
		if i++; i == step.after {
			s.tell(nil, "and left after %d", i)
			break
		}
		if i > len(args) && !ended {
			s.violated("every task settles exactly once", "a stream of %d yields more", len(args))
		}
	}
	if i < len(args) && ctx.Err() == nil && step.after == 0 {
		s.violated("every task settles exactly once", "a stream of %d yields %d", len(args), i)
	}
	for _, t := range step.tasks {
		t.mu.Lock()
		t.loose = !t.known
		t.mu.Unlock()
	}
}

// outcomes are those of the step, as a sequence whichever way it goes.
func (s *simulation) outcomes(ctx context.Context, step simStep, args [][]byte,
	opts []Option,
) iter.Seq2[[]byte, error] {
	switch step.how {
	case byStream:
		return simWork.Stream(ctx, via(s.pool), Slice(args), opts...)
	case byStreamUnordered:
		return simWork.StreamUnordered(ctx, via(s.pool), Slice(args), opts...)
	}
	values, err := simWork.Map(ctx, via(s.pool), args, opts...)
	errs := make([]error, len(values))
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // Map's own error
		for _, e := range joined.Unwrap() {
			if item := new(ItemError); errors.As(e, &item) && item.Index < len(errs) {
				errs[item.Index] = item.Err
			}
		}
	}
	return func(yield func([]byte, error) bool) {
		for i, v := range values {
			if !yield(v, errs[i]) {
				return
			}
		}
	}
}

// taskOf is the task whose outcome a stream yields as its i-th. Unordered ones tell by their value.
func (step simStep) taskOf(i int, v []byte, err error) *simTask {
	switch {
	case step.how != byStreamUnordered && i < len(step.tasks):
		return step.tasks[i]
	case step.how != byStreamUnordered || err != nil || len(v) < simArgSize:
		return nil
	}
	for _, t := range step.tasks {
		if bytes.Equal(complement(v)[8:simArgSize], t.argument(0)[8:simArgSize]) {
			return t
		}
	}
	return nil
}
