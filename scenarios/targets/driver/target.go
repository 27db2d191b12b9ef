package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// Target is a pool behind a driver as a target. StartTarget makes it. Safe for concurrent use.
type Target struct {
	*outside.Pool
	driver *Driver
	up     atomic.Bool
	asked  atomic.Uint64 // requests with an id that are no tasks
}

// firstAsked is where the numbers of requests begin that are no tasks.
const firstAsked = 1 << 52

var (
	_ chaos.Target     = (*Target)(nil)
	_ chaos.Prober     = (*Target)(nil)
	_ chaos.Runner     = (*Target)(nil)
	_ chaos.Marked     = (*Target)(nil)
	_ chaos.Supervised = (*Target)(nil)
	_ chaos.Harmer     = (*Target)(nil)
	_ chaos.Accounting = (*Target)(nil)
	_ chaos.Poisoner   = (*Target)(nil)
	_ chaos.Mortal     = (*Target)(nil)
	_ chaos.Provable   = (*Target)(nil)
	_ chaos.Numbering  = (*Target)(nil)
)

// StartTarget starts a driver and waits until its pool is ready; ctx bounds that. dir holds the witnesses' file; the
// caller removes it after Close. Errors are Start's, and [*kind.UnfitError] for a driver that cannot tell which process
// answers, or tells of workers that are none.
func StartTarget(ctx context.Context, c Command, dir string) (*Target, error) {
	f := outside.FollowForks()
	t, err := startTarget(ctx, c, dir, f)
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return t, err
}

func startTarget(ctx context.Context, c Command, dir string, f *forks.Follower) (*Target, error) {
	c.Witness = filepath.Join(dir, "witness")
	if err := os.WriteFile(c.Witness, nil, 0o600); err != nil {
		return nil, err
	}
	t := &Target{}
	c.Violated = t.violated
	d, err := Start(ctx, c)
	if err != nil {
		return nil, err
	}
	if !d.Can("pid") {
		return nil, errors.Join(&kind.UnfitError{
			Target: "the driver of " + d.Hello().Name,
			Err:    errors.New("it does not tell which process answers (can: pid)"),
		}, d.Close())
	}
	var proved uint64 // numbers that were given before there is a Pool to give them
	if _, err := d.prove(ctx, proof{func() uint64 { proved++; return proved }, proofKinds()}); err != nil {
		return nil, errors.Join(&kind.UnfitError{Target: "the driver of " + d.Hello().Name, Err: err}, d.Close())
	}
	witness := ""
	if d.Can("witness") {
		witness = c.Witness
	}
	what := history.Target{
		Kind: cmp.Or(c.Kind, "driver"), Name: d.Hello().Name, Version: d.Hello().Version, Size: c.Size,
		Places: c.Places,
	}
	if d.Can("account") {
		what.Can = []string{"marker", "account"}
	}
	var lister outside.Lister = d
	first := d.Ready()
	if d.Hello().Protocol == 2 {
		lister = roles{d}
		if first, err = d.Members(ctx); err != nil {
			return nil, errors.Join(err, d.Close())
		}
		for _, pid := range first {
			switch p, _ := d.place(pid); p.Role {
			case chaos.Broker:
				what.Brokers++
			case chaos.Owner:
				what.Owners++
			}
		}
		what.Size += what.Brokers + what.Owners
	}
	t.driver = d
	t.Pool = outside.Watch(what, lister, first, f, witness, t.sendProbe)
	t.Number(int(proved))
	t.up.Store(true)
	return t, nil
}

// roles lists the members of a driver of protocol 2.
type roles struct{ *Driver }

// Workers implements outside.Lister.
func (r roles) Workers(ctx context.Context) ([]int, error) { return r.Members(ctx) }

// Place implements outside.Placer.
func (r roles) Place(pid int) (outside.Place, bool) { return r.place(pid) }

// Probe implements chaos.Prober: who runs no tasks is asked by itself, in place of by tasks.
func (t *Target) Probe(ctx context.Context, slot int) (int, error) {
	if slot < t.Describe().Workers() {
		return t.Pool.Probe(ctx, slot)
	}
	for {
		pid, err := t.ask(ctx, slot)
		if err == nil {
			return pid, nil
		}
		if wait.For(ctx, 20*time.Millisecond) != nil {
			return 0, fmt.Errorf("the member in slot %d does not answer: %w", slot, err)
		}
	}
}

func (t *Target) ask(ctx context.Context, slot int) (int, error) {
	f, err := t.driver.send(firstAsked+t.asked.Add(1), request{Op: "probe", Slot: &slot})
	if err != nil {
		return 0, err
	}
	a, err := f.Result(ctx)
	return a.PID, err
}

// Harm implements chaos.Harmer, for drivers of protocol 2.
func (t *Target) Harm(ctx context.Context, h chaos.Harm) (map[string]string, error) {
	return t.harm(ctx, "harm", h)
}

// Heal implements chaos.Harmer.
func (t *Target) Heal(ctx context.Context, h chaos.Harm) (map[string]string, error) {
	return t.harm(ctx, "heal", h)
}

func (t *Target) harm(ctx context.Context, op string, h chaos.Harm) (evidence map[string]string, err error) {
	if !t.driver.Can(h.Kind) {
		return nil, chaos.Refuse("the driver of %s cannot have the fault %s (can: %s, see docs/drivers.md)",
			t.driver.Hello().Name, h.Kind, h.Kind)
	}
	f, err := t.driver.send(firstAsked+t.asked.Add(1),
		request{Op: op, Fault: h.Kind, Slot: &h.Slot, PID: h.PID, Arg: h.Args})
	if err != nil {
		return nil, err
	}
	a, err := f.Result(ctx)
	var said *TaskError
	if errors.As(err, &said) {
		err = unharmed(said.Text, err)
	}
	if err == nil {
		err = json.Unmarshal(a.Value, &evidence)
	}
	return evidence, err
}

// unharmed is the error of a driver that has done no harm. By the protocol the first word of its text says which kind
// of error it is, and has a colon behind it; without one of these it is the task's own, err.
func unharmed(text string, err error) error {
	word, why, ok := strings.Cut(text, ": ")
	switch {
	case ok && word == "refused":
		return chaos.Refuse("%s", why)
	case ok && word == "missed":
		return &chaos.MissedError{Reason: why}
	case ok && word == "gone":
		return chaos.ErrGone
	}
	return err
}

// Account implements chaos.Accounting, for drivers of protocol 2 that say so.
func (t *Target) Account(ctx context.Context) (*history.Account, error) {
	if !t.driver.Can("account") {
		return nil, nil
	}
	f, err := t.driver.send(firstAsked+t.asked.Add(1), request{Op: "account"})
	if err != nil {
		return nil, err
	}
	answer, err := f.Result(ctx)
	if err != nil {
		return nil, err
	}
	a := &history.Account{}
	return a, json.Unmarshal(answer.Value, a)
}

// Poison implements chaos.Poisoner, for drivers of protocol 2. Who is said to have died of it must have been a member,
// and have ended.
func (t *Target) Poison(ctx context.Context, d chaos.Deadly) (died chaos.Poisoned, err error) {
	args := map[string]any{"code": d.Code}
	if d.Memory {
		args = map[string]any{"memory": true}
	}
	evidence, err := t.harm(ctx, "harm", chaos.Harm{Kind: "poison", Slot: -1, Args: args})
	if err != nil {
		return died, err
	}
	for _, field := range strings.Fields(evidence["pids"]) {
		pid, err := strconv.Atoi(field)
		if err != nil || !t.Ended(pid) {
			return died, fmt.Errorf(
				"the target says that %q died of the task: want processes that were members and have ended", field)
		}
		died.PIDs = append(died.PIDs, pid)
	}
	died.Verdict = evidence["given up"]
	if d.Memory {
		if died.OOMKills, err = strconv.Atoi(evidence["oom kills"]); err != nil {
			return died, fmt.Errorf("the target's evidence has %q for \"oom kills\": want a number",
				evidence["oom kills"])
		}
	}
	return died, nil
}

// provedWithin is how long the tasks of a proof may take once the workers go on: however short a scenario's settle is,
// none is called lost before.
const provedWithin = 10 * time.Second

// Prove implements chaos.Provable. It waits for the tasks that it sent, which the workers run once they go on; tasks
// such as those of the load are among them, if these are short enough.
func (t *Target) Prove(ctx context.Context, within time.Duration, like chaos.Task) {
	p := proof{t.NextProbe, proofKinds()}
	j, err := t.driver.job(like)
	if err == nil && time.Duration(j.ms)*time.Millisecond <= stillFor/2 && !slices.Contains(p.kinds, j) {
		p.kinds = append(p.kinds, j)
	}
	soon, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, prove := range []func(context.Context, proof) ([]*Future, error){t.driver.prove, t.driver.proveApart} {
		before, _ := t.driver.Workers(soon)
		futures, _ := prove(soon, p) // what is wrong is told as it is found
		if !t.settle(ctx, futures, before) {
			return
		}
	}
}

// settle waits until the tasks of a proof have their outcomes, and tells whether all have their values. If no worker
// was replaced meanwhile, nothing has happened to any but that it stood still, so each task must give its value. One
// that has no outcome in time is lost if one that was sent after it has one: then it was not for want of time.
func (t *Target) settle(ctx context.Context, futures []*Future, before []int) bool {
	late, cancel := context.WithTimeout(ctx, provedWithin)
	defer cancel()
	var wrong []func() error
	var open []uint64
	settled := uint64(0) // the last that has its outcome
	for _, f := range futures {
		a, err := f.Result(late)
		var said *TaskError
		switch {
		case err == nil && t.right(f, a) == nil:
			t.ProbeAnswered(f.id, a.PID)
		case errors.As(err, &said):
			wrong = append(wrong, func() error {
				return t.driver.wrong(TaskFailed, 0, "error", "a task that was sent after the faults was answered "+
					"with %s: each has its value while nothing happens to the workers", quote([]byte(said.Text)))
			})
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			open = append(open, f.id)
			continue
		}
		settled = max(settled, f.id)
	}
	for _, id := range open {
		if id < settled {
			wrong = append(wrong, func() error {
				return t.driver.wrong(TaskLost, 0, "submit", "a task that was sent after the faults has no outcome, "+
					"and one that was sent later has: each has its value while nothing happens to the workers")
			})
		}
	}
	if len(wrong) == 0 || ctx.Err() != nil { // whoever gave up waiting has seen nothing
		return len(open) == 0
	}
	if after, err := t.driver.Workers(ctx); err == nil &&
		slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(after))) {
		for _, tell := range wrong {
			_ = tell()
		}
	}
	return false
}

// violated puts what the driver does wrong into the history.
func (t *Target) violated(v *Violation) {
	if !t.up.Load() {
		return // it will not come up, and the error says why
	}
	op := history.BadAnswer
	switch v.Kind {
	case AnsweredTwice:
		op = history.AnsweredTwice
	case NoAnswer, Refused, Deaf, Mute, Died, Lingers, ChildrenLeft:
		op = history.Unanswered // of what it did not do, or was ended by, the tasks and processes tell
	}
	t.Announce(history.MemberEvent{Op: op, Task: v.Task, Err: v.Error()})
}

// Marker implements chaos.Marked.
func (t *Target) Marker() string { return t.driver.Marker() }

// Supervisor implements chaos.Supervised: the driver's own process.
func (t *Target) Supervisor() int { return t.driver.PID() }

// Gone implements chaos.Mortal: the driver ended, or had to be ended, or was closed.
func (t *Target) Gone() <-chan struct{} { return t.driver.Gone() }

// Epitaph implements chaos.Mortal.
func (t *Target) Epitaph() string {
	err := t.driver.Err()
	var gone *GoneError
	if errors.As(err, &gone) {
		return gone.Headline(t.driver.Hello().Name)
	}
	return fmt.Sprintf("the driver of %s is gone: %v", t.driver.Hello().Name, err)
}

// Violations lists what the driver did wrong so far.
func (t *Target) Violations() []*Violation { return t.driver.Violations() }

// Do implements chaos.Runner. What the pool itself says of a task that it could not finish is its outcome Failed; a
// task that was with a driver that ended is Lost.
func (t *Target) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	j, err := t.driver.job(task)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	defer t.Loaded()()
	f, err := t.driver.submitJob(task.ID, j)
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	a, err := f.Result(ctx)
	var gone *GoneError
	switch {
	case err == nil:
		t.Answered(a.PID)
		if !t.Knows(a.PID) {
			t.driver.Foreign(a)
		}
		return outside.RightAnswer(task, string(a.Value), j.right(task.ID), a.PID)
	case errors.As(err, &gone):
		return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
	case ctx.Err() != nil, errors.Is(err, ErrClosed):
		return chaos.Settled{Outcome: history.Hung, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
}

// sendProbe runs one short sleep.
func (t *Target) sendProbe(ctx context.Context) (pid int, err error) {
	id := t.NextProbe()
	f, err := t.driver.submitJob(id, job{task: "sleep", ms: outside.ProbeFor.Milliseconds()})
	if err != nil {
		return 0, err
	}
	a, err := f.Result(ctx)
	if err != nil {
		return 0, err
	}
	if err := t.right(f, a); err != nil {
		return 0, err
	}
	t.ProbeAnswered(id, a.PID)
	return a.PID, nil
}

// Close stops the pool and the driver and sees to it that nothing of them is left. Closing twice is fine. The error is
// the first thing that the driver did wrong meanwhile, and a [*chaos.LeftError] if it left processes behind or did not
// end.
func (t *Target) Close() error {
	t.Stop()
	err := t.driver.Stop(context.Background())
	if n := t.driver.Left(); n > 0 {
		err = errors.Join(&chaos.LeftError{Processes: n}, err)
	}
	return err
}
