package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
)

// Driver is a pool behind a driver as a target. StartDriver makes it. Safe for concurrent use.
type Driver struct {
	*outside
	driver *driver.Driver
	up     atomic.Bool
}

var (
	_ chaos.Target     = (*Driver)(nil)
	_ chaos.Runner     = (*Driver)(nil)
	_ chaos.Marked     = (*Driver)(nil)
	_ chaos.Supervised = (*Driver)(nil)
	_ chaos.Mortal     = (*Driver)(nil)
	_ chaos.Provable   = (*Driver)(nil)
)

// UnfitError says that a driver keeps too little of its protocol, or of the truth, to be a target.
type UnfitError struct {
	Pool string // whose driver it is
	Err  error
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("the driver of %s cannot be a target: %v", e.Pool, e.Err)
}

func (e *UnfitError) Unwrap() error { return e.Err }

// StartDriver starts a driver and waits until its pool is ready; ctx bounds that. dir holds the witnesses' file; the caller
// removes it after Close. Errors are driver.Start's, and [*UnfitError] for a driver that cannot tell which process answers, or tells
// of workers that are none.
func StartDriver(ctx context.Context, c driver.Command, dir string) (*Driver, error) {
	f := followForks()
	t, err := startDriver(ctx, c, dir, f)
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return t, err
}

func startDriver(ctx context.Context, c driver.Command, dir string, f *forks.Follower) (*Driver, error) {
	c.Witness = filepath.Join(dir, "witness")
	if err := os.WriteFile(c.Witness, nil, 0o600); err != nil {
		return nil, err
	}
	t := &Driver{}
	c.Violated = t.violated
	d, err := driver.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	if !d.Can("pid") {
		return nil, errors.Join(&UnfitError{d.Hello().Name, errors.New("it does not tell which process answers (can: pid)")}, d.Close())
	}
	if _, err := d.Prove(ctx, firstProof); err != nil {
		return nil, errors.Join(&UnfitError{d.Hello().Name, err}, d.Close())
	}
	witness := ""
	if d.Can("witness") {
		witness = c.Witness
	}
	what := history.Target{Kind: "driver", Name: d.Hello().Name, Version: d.Hello().Version, Size: c.Size}
	t.driver = d
	t.outside = newOutside(what, d, d.Ready(), f, witness, t.sendProbe)
	t.up.Store(true)
	return t, nil
}

// Prove implements chaos.Provable. It waits for the tasks that it sent, which the workers run once they go on.
func (t *Driver) Prove(ctx context.Context) {
	futures, _ := t.driver.Prove(ctx, lastProof) // what is wrong is told as it is found
	for _, f := range futures {
		_, _ = f.Result(ctx)
	}
}

// violated puts what the driver does wrong into the history.
func (t *Driver) violated(v *driver.Violation) {
	if !t.up.Load() {
		return // it will not come up, and the error says why
	}
	op := "rejected"
	switch v.Kind {
	case driver.AnsweredTwice:
		op = "answered-twice"
	case driver.NoAnswer, driver.Refused, driver.Deaf, driver.Mute, driver.Died, driver.Lingers, driver.ChildrenLeft:
		op = "unanswered" // of what it did not do, or was ended by, the tasks and processes tell
	}
	t.announce(history.Member{Op: op, Task: v.Task, Err: v.Error()})
}

// Marker implements chaos.Marked.
func (t *Driver) Marker() string { return t.driver.Marker() }

// Supervisor implements chaos.Supervised: the driver's own process.
func (t *Driver) Supervisor() int { return t.driver.PID() }

// Gone implements chaos.Mortal: the driver ended, or had to be ended, or was closed.
func (t *Driver) Gone() <-chan struct{} { return t.driver.Gone() }

// Epitaph implements chaos.Mortal.
func (t *Driver) Epitaph() string {
	err := t.driver.Err()
	var gone *driver.GoneError
	if errors.As(err, &gone) {
		return gone.Headline(t.driver.Hello().Name)
	}
	return fmt.Sprintf("the driver of %s is gone: %v", t.driver.Hello().Name, err)
}

// Violations lists what the driver did wrong so far.
func (t *Driver) Violations() []*driver.Violation { return t.driver.Violations() }

// Do implements chaos.Runner. What the pool itself says of a task that it could not finish is its outcome Failed; a task
// that was with a driver that ended is Lost.
func (t *Driver) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	ms, err := plainTask("driver", task)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	t.prober.load.Add(1)
	defer t.prober.load.Add(-1)
	f, err := t.submit(task.ID, task.Name, ms)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	a, err := f.Result(ctx)
	var gone *driver.GoneError
	switch {
	case err == nil:
		t.prober.answered(a.PID)
		if !t.knows(a.PID) {
			t.driver.Foreign(a)
		}
		return rightAnswer(task, string(a.Value), a.PID)
	case errors.As(err, &gone):
		return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
	case ctx.Err() != nil, errors.Is(err, driver.ErrClosed):
		return chaos.Settled{Outcome: history.Hung, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
}

func (t *Driver) submit(id uint64, task string, ms int64) (*driver.Future, error) {
	arg := map[string]any{"n": factor(id)}
	if task == "sleep" {
		arg["ms"] = ms
	}
	return t.driver.Submit(id, task, arg)
}

// sendProbe runs one short sleep.
func (t *Driver) sendProbe(ctx context.Context) (pid int, err error) {
	id := t.nextProbe()
	f, err := t.submit(id, "sleep", probeFor.Milliseconds())
	if err != nil {
		return 0, err
	}
	a, err := f.Result(ctx)
	if err != nil {
		return 0, err
	}
	var n int
	if want := factor(id) * factor(id); json.Unmarshal(a.Value, &n) != nil || n != want {
		return 0, fmt.Errorf("process %d answered a probe with %.80q, want %d", a.PID, a.Value, want)
	}
	t.probeAnswered(id, a.PID)
	return a.PID, nil
}

// Close stops the pool and the driver and sees to it that nothing of them is left. Closing twice is fine. The error is the
// first thing that the driver did wrong meanwhile, and a [*chaos.LeftError] if it left processes behind or did not end.
func (t *Driver) Close() error {
	t.stop()
	err := t.driver.Stop(context.Background())
	if n := t.driver.Left(); n > 0 {
		err = errors.Join(&chaos.LeftError{Processes: n}, err)
	}
	return err
}
