package own

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own/tasks"
)

// Pool is a pool of this project as a target. Adapt or Start makes it. Safe for concurrent use.
type Pool struct {
	*pool.Pool
	cfg     pool.Config
	witness string
	closed  atomic.Bool
}

var (
	_ chaos.Target    = (*Pool)(nil)
	_ chaos.Prober    = (*Pool)(nil)
	_ chaos.Runner    = (*Pool)(nil)
	_ chaos.Mapper    = (*Pool)(nil)
	_ chaos.Stresser  = (*Pool)(nil)
	_ chaos.Crasher   = (*Pool)(nil)
	_ chaos.Poisoner  = (*Pool)(nil)
	_ chaos.Operator  = (*Pool)(nil)
	_ chaos.Marked    = (*Pool)(nil)
	_ chaos.Stallable = (*Pool)(nil)
	_ chaos.Timed     = (*Pool)(nil)
	_ chaos.Booter    = (*Started)(nil)
	_ chaos.Remarking = (*Started)(nil)
)

// Adapt makes a target of a pool that the caller made and closes. The built-in tasks record their executions in a file
// in dir, which the caller removes. It waits until the pool's spares are ready, for half a minute at most.
func Adapt(p *pool.Pool, cfg pool.Config, dir string) *Pool {
	awaitSpares(p, cfg.Spares)
	return &Pool{Pool: p, cfg: cfg, witness: filepath.Join(dir, "witness")}
}

// Started is a pool that Start made, which can be told to boot badly.
type Started struct {
	*Pool
	*bootControl
	remarks *remarks // what it warned of; nil where the caller has it logged
}

// Start makes a pool with the config, whose Initializer must be nil: it is used to let boots fail. Workers of a Command
// must have the tasks of docs/wire.md, "To be proved", which those with an SDK have. ctx bounds the boot. dir holds the
// witnesses' file and the control files; the caller removes it after the pool is closed.
func Start(ctx context.Context, cfg pool.Config, dir string) (*Started, error) {
	if cfg.Initializer != nil {
		return nil, errors.New("targets: Config.Initializer is taken by the harness: adapt a pool of your own instead")
	}
	boots, err := newBootControl(filepath.Join(dir, "boot"))
	if err != nil {
		return nil, err
	}
	if cfg.Command == nil {
		cfg.Initializer = tasks.Boot.With(boots.dir)
	} else if cfg.Env, err = provable(cfg.Env, dir, boots.dir); err != nil {
		return nil, err
	}
	var said *remarks
	if cfg.Logger == nil {
		said = &remarks{told: map[string]bool{}}
		cfg.Logger = slog.New(said)
	}
	p, err := pool.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Started{Adapt(p, cfg, dir), boots, said}, nil
}

// awaitSpares waits until the spares are ready, which New does not. They are processes of the pool and no members: who
// counted those before the first fault, and some were not there yet, would take them for left behind at the end. It
// gives up in the end, since a pool without its spares works.
func awaitSpares(p *pool.Pool, spares int) {
	for began := time.Now(); p.Stats().Spares < spares && time.Since(began) < 30*time.Second; {
		_ = wait.For(context.Background(), time.Millisecond)
	}
}

// Describe implements chaos.Target.
func (t *Pool) Describe() history.Target {
	return history.Target{
		Kind: "pool", Name: "respawn", Size: t.Size(),
		Can: []string{"events", "phases", "exits", "attempts", "slots", "witness", "marker"},
	}
}

// Want implements chaos.Target.
func (t *Pool) Want() int {
	if t.closed.Load() {
		return 0
	}
	return t.Size()
}

// Marker implements chaos.Marked.
func (t *Pool) Marker() string { return t.ID() }

// Heartbeat implements chaos.Stallable.
func (t *Pool) Heartbeat() time.Duration { return cmp.Or(t.cfg.Heartbeat, 10*time.Second) }

// TaskTimeout implements chaos.Timed.
func (t *Pool) TaskTimeout() time.Duration { return t.cfg.TaskTimeout }

// Members implements chaos.Target.
func (t *Pool) Members(context.Context) ([]chaos.Member, error) {
	var list []chaos.Member
	for _, w := range t.Workers() {
		if w.PID == 0 || w.State > pool.Retiring {
			continue
		}
		list = append(list, chaos.Member{
			Slot: w.Slot, Generation: w.Generation, Name: w.Name, PID: w.PID, Started: w.Started, Cgroup: w.Cgroup,
			State: memberStates[w.State], Phase: w.Phase.String(),
		})
	}
	return list, nil
}

var memberStates = map[pool.State]chaos.State{
	pool.Starting: chaos.Starting, pool.Ready: chaos.Ready, pool.Retiring: chaos.Stopping,
}

// Probe implements chaos.Prober.
func (t *Pool) Probe(ctx context.Context, slot int) (pid int, err error) {
	n := uint64(slot) + 7
	a, err := t.tasks().Probe.Call(ctx, t.Pool, n, pool.OnSlot(slot))
	if err == nil && a.Value != n*n {
		err = fmt.Errorf("the probe of slot %d answered %d, want %d", slot, a.Value, n*n)
	}
	return a.PID, err
}

// Do implements chaos.Runner.
func (t *Pool) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	b, w, err := t.prepare(task)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	f := b.Task.Submit(ctx, t.Pool, w)
	a, err := f.Result(ctx)
	return told(f, verdict(ctx, b, &w, a, err))
}

// Map implements chaos.Mapper.
func (t *Pool) Map(ctx context.Context, list []chaos.Task, ended func(int, chaos.Settled)) {
	inputs := make([]tasks.Work, len(list))
	var b tasks.Builtin
	for i, task := range list {
		var err error
		if b, inputs[i], err = t.prepare(task); err != nil {
			ended(i, chaos.Settled{Outcome: history.Rejected, Err: err.Error()})
			return
		}
	}
	inOrder(ctx, t, b.Task, inputs,
		func(i int, a tasks.Answer, err error) chaos.Settled { return verdict(ctx, b, &inputs[i], a, err) }, ended)
}

// prepare finds the built-in task and makes its argument.
func (t *Pool) prepare(task chaos.Task) (tasks.Builtin, tasks.Work, error) {
	b, ok := tasks.Builtins[task.Name]
	if !ok {
		return b, tasks.Work{}, fmt.Errorf("there is no built-in task %q", task.Name)
	}
	b.Task = t.tasks().Work[task.Name]
	w := tasks.Work{ID: task.ID, Witness: t.witness}
	if err := w.Take(task.Args); err != nil {
		return b, w, fmt.Errorf("task %s: %w", task.Name, err)
	}
	if b.Prompt != nil {
		b.Prompt(&w)
	}
	return b, w, nil
}

// verdict says how a task ended for its submitter.
func verdict(ctx context.Context, b tasks.Builtin, w *tasks.Work, a tasks.Answer, err error) chaos.Settled {
	switch {
	case err == nil && a.ID == w.ID && b.Expect(w, a):
		return chaos.Settled{Outcome: history.OK, PID: a.PID}
	case err == nil:
		return chaos.Settled{
			Outcome: history.Wrong, PID: a.PID,
			Err: fmt.Sprintf("task %d was answered for task %d with %d", w.ID, a.ID, a.Value),
		}
	}
	return failure(ctx, err)
}

// Resize implements chaos.Operator, with Restart, Close and Terminate.
func (t *Pool) Resize(n int) error { return t.Pool.Resize(n) }

// Close finishes what was submitted and stops the pool.
func (t *Pool) Close() error {
	t.closed.Store(true)
	return t.Pool.Close()
}

// Terminate stops the pool now.
func (t *Pool) Terminate() error {
	t.closed.Store(true)
	t.Pool.Terminate()
	return nil
}

// Witness is the file in which the built-in tasks record their executions: for chaos.Run.Witness.
func (t *Pool) Witness() string { return t.witness }

// ArmCrashPoint implements chaos.Crasher.
func (t *Pool) ArmCrashPoint(_ context.Context, slot, pid int, point string) error {
	for at := pool.CrashNone; at <= pool.CrashDuringDrain; at++ {
		if at.String() != point {
			continue
		}
		w, err := t.Pool.ArmCrashPoint(slot, at)
		if err == nil && w.PID != pid {
			_, err = t.Pool.ArmCrashPoint(slot, pool.CrashNone)
			return errors.Join(chaos.ErrGone, err)
		}
		return err
	}
	return fmt.Errorf("the pool has no crash point %q", point)
}
