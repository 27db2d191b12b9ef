package own

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// The bugs that can be put at the edge of our pool, for scenarios whose faults a driver cannot take. The pool keeps its
// promises, and this adapter breaks them: what the harness sees is a pool that does.
const (
	LosesTasks   = "loses-tasks"
	WrongValues  = "wrong-values"
	RunsTwice    = "runs-twice"
	KillsOthers  = "kills-others"
	LeavesZombie = "leaves-zombie"
	LeavesOrphan = "leaves-orphan"
	AnswersLate  = "answers-late"
	Impatient    = "impatient"
)

// Bug is one of them.
type Bug struct{ Name, Doc string }

// Bugs lists them.
func Bugs() []Bug {
	return []Bug{
		{LosesTasks, "a task that was in flight at a death never settles"},
		{WrongValues, "the value of a task that was in flight at a death is another's"},
		{RunsTwice, "a task that was in flight at a death, and every tenth, is run once more"},
		{KillsOthers, "the first death takes another worker with it"},
		{LeavesZombie, "each death leaves a child that is not reaped"},
		{LeavesOrphan, "something that was started outlives the pool"},
		{AnswersLate, "once a worker has died, slots answer after six seconds"},
		{Impatient, "a worker that is stopped is killed at once"},
	}
}

// Broken is our pool with bugs at its edge. It is for proving that a scenario would notice them.
type Broken struct {
	*Started
	bugs   []string
	deaths atomic.Int64
	calls  atomic.Int64
	unsub  func() uint64
	stop   chan struct{}
	done   sync.WaitGroup

	mu   sync.Mutex
	left []*exec.Cmd // not waited for
}

// Break puts bugs at the edge of a started pool. The caller calls End at last.
func Break(s *Started, bugs []string) (*Broken, error) {
	for _, b := range bugs {
		if !slices.ContainsFunc(Bugs(), func(known Bug) bool { return known.Name == b }) {
			return nil, fmt.Errorf("there is no bug %q at the edge of the pool", b)
		}
	}
	b := &Broken{Started: s, bugs: bugs, stop: make(chan struct{})}
	b.unsub = s.Watch(func(m history.MemberEvent) {
		if m.Op == history.Exited {
			b.died(m)
		}
	})
	if b.has(Impatient) {
		b.done.Go(b.killStopped)
	}
	return b, nil
}

func (b *Broken) has(bug string) bool { return slices.Contains(b.bugs, bug) }

// Describe implements chaos.Target.
func (b *Broken) Describe() history.Target {
	d := b.Started.Describe()
	d.Version = "with " + strings.Join(b.bugs, ", ")
	return d
}

// died is what some bugs do when a worker is gone.
func (b *Broken) died(m history.MemberEvent) {
	first := b.deaths.Add(1) == 1
	if b.has(KillsOthers) && first {
		members, _ := b.Members(context.Background())
		for _, other := range slices.Backward(members) { // the first may just have been paused, which explains its end
			if other.Slot != m.Slot && other.State == chaos.Ready {
				_ = syscall.Kill(other.PID, syscall.SIGKILL)
				break
			}
		}
	}
	if b.has(LeavesZombie) {
		b.leave("true")
	}
}

// leave starts a process with the pool's marker, and nobody waits for it until reap.
func (b *Broken) leave(argv ...string) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), chaos.MarkerEntry(b.Marker()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		b.mu.Lock()
		b.left = append(b.left, cmd)
		b.mu.Unlock()
	}
}

// killStopped looks for workers that are stopped.
func (b *Broken) killStopped() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
		}
		members, _ := b.Members(context.Background())
		for _, m := range members {
			if p, err := procfs.Read(m.PID); err == nil && p.State == 'T' {
				_ = syscall.Kill(m.PID, syscall.SIGKILL)
			}
		}
	}
}

// Do implements chaos.Runner.
func (b *Broken) Do(ctx context.Context, t chaos.Task) chaos.Settled {
	before := b.deaths.Load()
	s := b.Started.Do(ctx, t)
	return b.spoil(ctx, t, s, b.deaths.Load() > before)
}

// Map implements chaos.Mapper.
func (b *Broken) Map(ctx context.Context, tasks []chaos.Task, ended func(int, chaos.Settled)) {
	before := b.deaths.Load()
	b.Started.Map(ctx, tasks, func(i int, s chaos.Settled) {
		now := b.deaths.Load()
		ended(i, b.spoil(ctx, tasks[i], s, now > before))
		before = now
	})
}

// spoil is how a task ends with the bugs; struck tells that a worker died meanwhile.
func (b *Broken) spoil(ctx context.Context, t chaos.Task, s chaos.Settled, struck bool) chaos.Settled {
	if b.has(RunsTwice) && (struck || b.calls.Add(1)%10 == 0) {
		b.Started.Do(ctx, t)
	}
	switch {
	case !struck || s.Outcome != history.OK:
	case b.has(LosesTasks):
		<-ctx.Done()
		return chaos.Settled{Outcome: history.Hung, Err: ctx.Err().Error()}
	case b.has(WrongValues):
		s.Outcome, s.Err = history.Wrong, "the value of another task"
	}
	return s
}

// Probe implements chaos.Prober.
func (b *Broken) Probe(ctx context.Context, slot int) (pid int, err error) {
	if b.has(AnswersLate) && b.deaths.Load() > 0 {
		select {
		case <-time.After(6 * time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return b.Started.Probe(ctx, slot)
}

// Close implements chaos.Operator.
func (b *Broken) Close() error {
	err := b.Started.Close()
	if b.has(LeavesOrphan) {
		b.leave("sh", "-c", "sleep 600 &") // the shell ends at once
		b.reap()
	}
	return err
}

// End terminates the pool and takes away what the bugs have left.
func (b *Broken) End() error {
	close(b.stop)
	b.done.Wait()
	err := b.Terminate()
	b.unsub()
	b.reap()
	table, tableErr := procfs.Snapshot()
	for pid := range table {
		if b.has(LeavesOrphan) && procfs.Marked(pid, chaos.MarkerEntry(b.Marker())) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return errors.Join(err, tableErr)
}

// reap waits for what leave started, which ends by itself.
func (b *Broken) reap() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, cmd := range b.left {
		_ = cmd.Wait()
	}
	b.left = nil
}
