package naive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Pool is the naive pool. It has one goroutine per slot, which runs one task at a time on that slot's worker; a task whose
// worker dies is run again. It is a chaos.Target.
type Pool struct {
	bugs   []Bug
	marker string
	check  func(t chaos.Task, value json.RawMessage) bool
	jobs   chan *job
	stop   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	slots    []*slot
	watchers map[int]func(history.Member)
	watching int
	done     []*job // finished, for RerunsDone
	count    int
	spoil    bool       // the next value is wrong
	struck   bool       // Collateral has happened
	dead     bool       // DeadAfterKill has happened
	unreaped []*process // by Zombies
}

// slot is one place; its fields belong to Pool.mu.
type slot struct {
	index   int
	gen     int
	proc    *process
	pid     int
	started time.Time
	ready   bool
	busy    *job
	pinned  chan *job
}

// job is one task on its way.
type job struct {
	task     chaos.Task
	attempts int
	settle   sync.Once
	settled  chan chaos.Settled
}

func (j *job) end(s chaos.Settled) {
	j.settle.Do(func() { s.Attempts = j.attempts; j.settled <- s })
}

// New starts a pool of that many workers with the bugs switched on. check tells whether a value is right.
func New(size int, bugs []Bug, check func(chaos.Task, json.RawMessage) bool) (*Pool, error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	p := &Pool{
		bugs: bugs, marker: hex.EncodeToString(id[:]), check: check, jobs: make(chan *job), stop: make(chan struct{}),
		watchers: map[int]func(history.Member){},
	}
	for i := range size {
		s := &slot{index: i, pinned: make(chan *job, 64)}
		p.slots = append(p.slots, s)
		if err := p.fill(s); err != nil {
			p.Close()
			return nil, err
		}
	}
	for _, s := range p.slots {
		p.wg.Add(1)
		go p.serve(s)
	}
	return p, nil
}

func (p *Pool) has(b Bug) bool { return slices.Contains(p.bugs, b) }

// fill starts a worker for the slot.
func (p *Pool) fill(s *slot) error {
	proc, err := spawn(p.marker, p.has(Orphans))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.gen++
	s.proc, s.pid, s.started, s.ready = proc, proc.cmd.Process.Pid, time.Now(), true
	p.tell(s, "started", nil)
	p.tell(s, "ready", nil)
	return nil
}

// tell informs the watchers; Pool.mu is held.
func (p *Pool) tell(s *slot, op string, exit *history.Exit) {
	m := history.Member{Op: op, Slot: s.index, Gen: s.gen, PID: s.pid, Name: fmt.Sprintf("naive-%d", s.index), Exit: exit}
	for _, fn := range p.watchers {
		fn(m)
	}
}

// serve is the life of one slot.
func (p *Pool) serve(s *slot) {
	defer p.wg.Done()
	idle := p.watchIdle(s)
	for {
		var j *job
		select {
		case <-p.stop:
			return
		case <-idle:
		case j = <-s.pinned:
		case j = <-p.jobs:
		}
		if p.isDead() {
			<-p.stop // as if a dead worker had held a lock that every worker needs
			return
		}
		if j != nil && p.run(s, j) {
			continue
		}
		if !p.replace(s, j) {
			return
		}
		idle = p.watchIdle(s)
	}
}

// watchIdle tells when the worker ends, without reaping it.
func (p *Pool) watchIdle(s *slot) <-chan struct{} {
	gone := make(chan struct{})
	proc := s.proc
	go func() {
		defer close(gone)
		waitExit(proc.cmd.Process.Pid)
	}()
	return gone
}

// run executes one job on the slot's worker; false means that the worker died.
func (p *Pool) run(s *slot, j *job) bool {
	p.mu.Lock()
	s.busy = j
	j.attempts++
	attempt, proc, pid := j.attempts, s.proc, s.pid
	p.mu.Unlock()
	r, err := proc.call(j.task, attempt)
	if err != nil {
		return false
	}
	p.mu.Lock()
	s.busy = nil
	p.count++
	again := p.has(RunsTwice) && p.count%10 == 0
	if spoilt := p.spoil; spoilt && len(r.Value) > 0 {
		p.spoil = false
		r.Value = json.RawMessage("0.5")
	}
	p.done = append(p.done, j)[max(0, len(p.done)-64):]
	p.mu.Unlock()
	if again {
		_, _ = proc.call(j.task, attempt)
	}
	switch {
	case r.Err != "":
		j.end(chaos.Settled{Outcome: history.Failed, Err: r.Err, PID: pid})
	case !p.check(j.task, r.Value):
		j.end(chaos.Settled{Outcome: history.Wrong, Err: fmt.Sprintf("value %s", r.Value), PID: pid})
	default:
		j.end(chaos.Settled{Outcome: history.OK, PID: pid})
	}
	return true
}

// errStopped settles what a closed pool did not run.
var errStopped = errors.New("the pool is closed")

// replace reaps a dead worker, starts another and sees to the job that was running; false ends the slot.
func (p *Pool) replace(s *slot, j *job) bool {
	p.bury(s)
	select {
	case <-p.stop:
		return false
	default:
	}
	if p.has(SlowRecovery) {
		select {
		case <-time.After(3 * time.Second):
		case <-p.stop:
		}
	}
	if j != nil && !p.has(DropsInFlight) {
		go p.submit(j)
	}
	p.aftermath(s)
	if p.has(NoRespawn) || p.has(LiesAboutSize) {
		return false
	}
	for p.fill(s) != nil {
		select {
		case <-p.stop:
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

func (p *Pool) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// bury reaps the slot's worker and tells of its end.
func (p *Pool) bury(s *slot) {
	exit := &history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"}
	if !p.has(Zombies) {
		_ = s.proc.cmd.Wait()
		if st, ok := s.proc.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
			exit = exitOf(st)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.has(Zombies) {
		p.unreaped = append(p.unreaped, s.proc)
	}
	s.ready, s.busy = false, nil
	p.tell(s, "exited", exit)
}

// aftermath is what some bugs do when a worker dies.
func (p *Pool) aftermath(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = p.has(DeadAfterKill)
	p.spoil = p.has(WrongValue)
	if p.has(RerunsDone) && len(p.done) > 0 {
		old := p.done[len(p.done)-1]
		go p.submit(&job{task: old.task, attempts: old.attempts - 1, settled: make(chan chaos.Settled, 1)})
	}
	for _, other := range p.slots {
		if other == s || !other.ready {
			continue
		}
		if p.has(Collateral) && !p.struck {
			p.struck = true
			_ = syscall.Kill(other.pid, syscall.SIGKILL)
			return
		}
		if p.has(BlamesOthers) && other.busy != nil {
			other.busy.end(chaos.Settled{Outcome: history.Lost, Err: "worker lost", PID: other.pid})
			return
		}
	}
}

// submit queues a job for any slot.
func (p *Pool) submit(j *job) {
	select {
	case p.jobs <- j:
	case <-p.stop:
		j.end(chaos.Settled{Outcome: history.Rejected, Err: errStopped.Error()})
	}
}

// Do implements chaos.Runner.
func (p *Pool) Do(ctx context.Context, t chaos.Task) chaos.Settled {
	j := &job{task: t, settled: make(chan chaos.Settled, 1)}
	go p.submit(j)
	select {
	case s := <-j.settled:
		return s
	case <-ctx.Done():
		return chaos.Settled{Outcome: history.Hung, Err: ctx.Err().Error()}
	}
}

// Close stops the workers.
func (p *Pool) Close() error {
	p.mu.Lock()
	select {
	case <-p.stop:
		p.mu.Unlock()
		return nil
	default:
	}
	close(p.stop)
	p.mu.Unlock()
	for _, s := range p.slots {
		p.mu.Lock()
		proc, ready := s.proc, s.ready
		p.mu.Unlock()
		if proc == nil || !ready || p.has(Orphans) {
			continue
		}
		_ = proc.in.Close()
		_ = proc.cmd.Process.Kill()
	}
	p.wg.Wait()
	for _, s := range p.slots {
		if s.proc != nil && s.ready && !p.has(Orphans) && !p.has(Zombies) {
			_ = s.proc.cmd.Process.Kill() // it may have been started after the others were
			_ = s.proc.cmd.Wait()
		}
	}
	return nil
}
