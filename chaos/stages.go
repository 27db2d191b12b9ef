package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// run goes through the stages and ends the history, whatever happens on the way.
func (x *experiment) run(outer context.Context) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	x.cancel = cancel
	if x.Timeout > 0 {
		late := time.AfterFunc(x.Timeout,
			func() { cancel(fmt.Errorf("%w: its timeout of %v is over", ErrTimeout, x.Timeout)) })
		defer late.Stop()
	}

	unwatch := x.watchTarget()
	hush := x.hearRemarks()
	stopSampling := x.sample(context.WithoutCancel(ctx))
	x.tell = sync.OnceFunc(func() { x.sayWhy(context.Cause(ctx)) })
	untold := context.AfterFunc(ctx, x.tell)
	stopWatching := x.watchHost()
	cause := x.stages(ctx, outer)
	if !untold() || cause != nil && ctx.Err() != nil {
		x.tell()
	}
	x.explain(cause)
	stopSampling()
	x.stop(cause != nil)
	stopWatching()
	if cause == nil {
		x.measureFloors()
	}
	if dropped := unwatch(); dropped > 0 {
		x.record(history.Event{
			Note: &history.Note{Text: "the target's events came faster than they were taken", Dropped: dropped},
		})
	}
	hush()
	return errors.Join(cause, x.end(cause))
}

// hearRemarks notes what the target says of itself, until hush is called.
func (x *experiment) hearRemarks() (hush func()) {
	t, ok := x.Target.(Remarking)
	if !ok {
		return func() {}
	}
	t.Remarks(func(text string) { x.note("%s", text) })
	return func() { t.Remarks(nil) }
}

// sayWhy records that the run was interrupted or aborted as soon as it is: what the target does while the faults are
// healed and its tasks are given up says nothing about it.
func (x *experiment) sayWhy(why error) {
	var abort *abortError
	switch {
	case errors.Is(why, ErrTargetGone), errors.Is(why, ErrTimeout), errors.Is(why, ErrHistory):
		// told by whoever finds it
	case errors.As(why, &abort):
		x.record(history.Event{Alarm: &history.Alarm{Kind: history.AlarmAbort, Rule: abort.rule}})
	default:
		x.record(history.Event{Alarm: &history.Alarm{Kind: history.AlarmInterrupt, Text: why.Error()}})
	}
}

// explain records what broke, if something else than that ended the run.
func (x *experiment) explain(cause error) {
	for _, told := range []error{ErrTargetGone, ErrTimeout, ErrAborted, ErrInterrupted, ErrHistory} {
		if errors.Is(cause, told) {
			return
		}
	}
	if cause != nil {
		x.fail(cause)
	}
}

// stages runs everything from boot to verify. Injections, load and probes are over when it returns. ctx is within
// outer, whose end is an interruption.
func (x *experiment) stages(ctx, outer context.Context) error {
	defer x.watchLife()()
	x.stage(history.Boot)
	x.loader = x.newLoader(ctx, outer)
	defer x.loader.abandon()
	if err := x.boot(ctx); err != nil {
		return x.cause(ctx, err)
	}
	x.allAtOnce(ctx, true)
	probeCtx, endProbes := context.WithCancel(ctx)
	defer x.probes.Wait()
	defer endProbes()

	for _, stage := range []struct {
		name history.StageName
		run  func() error
	}{
		{history.Warmup, func() error { x.loader.begin(false); return wait.For(ctx, x.Warmup) }},
		{history.Steady, func() error { defer x.sampleBefore(ctx); return wait.For(ctx, x.Steady) }},
		{history.Chaos, func() error { return x.strike(ctx, probeCtx) }},
		{history.Settle, func() error { defer x.takeSample(ctx); return x.awaitRecovery(ctx) }},
		{history.Verify, func() error {
			if err := x.loader.drain(ctx, x.Settle); err != nil {
				return err
			}
			x.verify(ctx)
			return nil
		}},
	} {
		x.stage(stage.name)
		if err := errors.Join(stage.run(), ctx.Err()); err != nil {
			return x.cause(ctx, err)
		}
	}
	return nil
}

// cause is why a stage ended early, in the words of whoever ended it.
func (x *experiment) cause(ctx context.Context, err error) error {
	why := context.Cause(ctx)
	var trouble troubleError
	switch {
	case errors.As(why, &trouble):
		return trouble
	case err == nil || why == nil:
		return err
	case errors.Is(why, ErrAborted), errors.Is(why, ErrHistory), errors.Is(why, ErrTargetGone):
		return why
	case errors.Is(why, ErrTimeout):
		x.timeOut()
		return why
	}
	return fmt.Errorf("%w: %w", ErrInterrupted, why)
}

// timeOut ends a run that took too long. Tasks that do not move any more hang, and are given up before the alarm; what
// is given up after it, because it has not come to its end although it moves, says nothing about the target.
func (x *experiment) timeOut() {
	if x.loader.still(x.Settle) {
		x.loader.abandon()
	}
	x.record(history.Event{
		Alarm: &history.Alarm{Kind: history.AlarmTimeout, Text: fmt.Sprintf("its timeout of %v is over", x.Timeout)},
	})
}

func (x *experiment) stage(name history.StageName) {
	x.record(history.Event{Stage: &history.Stage{Name: name}})
}

// watchTarget records the target's life events from now on.
func (x *experiment) watchTarget() (stop func() uint64) {
	return x.Target.Watch(func(m history.MemberEvent) {
		m.At = x.clock.since(m.At)
		x.record(history.Event{Member: &m})
		switch m.Op {
		case history.Started, history.Ready:
			x.announce(m)
		case history.Exited:
			if m.Exit != nil && strings.Contains(m.Exit.OOM, "cgroup") {
				x.countOOM(who{m.PID, m.Slot, m.Gen}, 1) // the limit was the target's or a fault's
			}
			x.exits.see(m)
		}
	})
}

// announcement is an event of a member that the target told by itself.
type announcement struct {
	op  history.MemberOp
	pid int
}

// boot waits until the target has what it wants, and records the members that there are.
func (x *experiment) boot(ctx context.Context) error {
	late := time.Now().Add(x.Boot)
	for {
		members, err := x.Target.Members(ctx)
		if err != nil {
			return fmt.Errorf("list the target's members: %w", err)
		}
		ready := 0
		for _, m := range members {
			if m.State == Ready {
				ready++
			}
		}
		if x.whole(ready) && ready > 0 {
			x.introduce(members)
			return nil
		}
		if time.Now().After(late) && len(members) == 0 {
			return fmt.Errorf("the target has no members after %v", x.Boot)
		} else if time.Now().After(late) {
			return fmt.Errorf("the target was not whole within %v: %d of %d members are ready",
				x.Boot, ready, x.Target.Want())
		}
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// announce notes who was told of by the target, until all are introduced.
func (x *experiment) announce(m history.MemberEvent) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.announced != nil {
		x.announced[announcement{m.Op, m.PID}] = true
	}
}

// introduce records the members that were there before the target was watched.
func (x *experiment) introduce(members []Member) {
	x.mu.Lock()
	told := x.announced
	x.announced = nil
	x.mu.Unlock()
	for _, m := range members {
		for _, op := range []history.MemberOp{history.Started, history.Ready} {
			if told[announcement{op, m.PID}] {
				continue
			}
			e := history.MemberEvent{Op: op, Slot: m.Slot, Gen: m.Generation, PID: m.PID, Name: m.Name}
			if !m.Started.IsZero() && op == history.Started {
				e.At = x.clock.since(Monotonic(m.Started))
			}
			x.record(history.Event{Member: &e})
		}
	}
}

// strike fires every shot when it is due and waits until the last injection is over.
func (x *experiment) strike(ctx, probeCtx context.Context) error {
	began := x.clock.now()
	x.planEnd = began
	for _, s := range x.shots {
		x.planEnd = max(x.planEnd, began+s.At)
		x.countShot(s, 1)
	}
	if x.Shots == nil {
		for _, n := range x.Chaos {
			x.planEnd = max(x.planEnd, began+n.When.After+n.When.For)
		}
	}
	x.loader.begin(true)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range x.Chaos {
		wg.Go(func() {
			for _, s := range x.shots {
				if s.Nemesis != i {
					continue
				}
				if wait.For(ctx, began+s.At-x.clock.now()) != nil {
					return
				}
				wg.Go(func() {
					defer x.countShot(s, -1)
					x.fire(ctx, probeCtx, s, began+s.At)
				})
			}
		})
	}
	if err := wait.For(ctx, x.planEnd-x.clock.now()); err != nil {
		return err
	}
	wg.Wait()
	return x.loader.finish(ctx, x.Settle)
}

// countShot counts the shots that those wait for whose faults last to the end of the others.
func (x *experiment) countShot(s Shot, by int64) {
	if !s.Fault.Traits().OpenEnded {
		x.pending.Add(by)
	}
}

// awaitRecovery waits until nothing is left to recover and it has been calm for a while, at most for Settle.
func (x *experiment) awaitRecovery(ctx context.Context) error {
	deadline := time.Now().Add(x.Settle)
	for calm := time.Now(); time.Now().Before(deadline) && time.Since(calm) < x.Steady; {
		if !x.recovered(ctx) {
			calm = time.Now()
		}
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// recovered tells whether every probe was answered and the target has the members it wants.
func (x *experiment) recovered(ctx context.Context) bool {
	x.mu.Lock()
	probing := x.probing
	x.mu.Unlock()
	if probing > 0 {
		return false
	}
	members, err := x.Target.Members(ctx)
	ready := 0
	for _, m := range members {
		if p, statErr := procfs.Read(m.PID); m.State == Ready && statErr == nil && p.Alive() {
			ready++
		}
	}
	return err == nil && x.whole(ready)
}

// whole tells whether the target has as many members as it is to have.
func (x *experiment) whole(ready int) bool {
	want := x.Target.Want()
	return ready >= want && ready <= max(want, x.Target.Describe().Most)
}

// verify probes every slot, and then all of them at once.
func (x *experiment) verify(ctx context.Context) {
	if !x.allAnswer(ctx) {
		return
	}
	x.allAtOnce(ctx, false)
	if t, ok := x.Target.(Provable); ok {
		like := Task{}
		if x.Load != nil {
			like = x.loader.task(0)
		}
		t.Prove(ctx, x.Settle, like)
	}
}

// allAnswer probes every slot, and tells whether none was silent. There is nothing to probe on a target that answers no
// probes.
func (x *experiment) allAnswer(ctx context.Context) bool {
	p, ok := x.Target.(Prober)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, x.Settle)
	defer cancel()
	var wg sync.WaitGroup
	var silent atomic.Bool
	for slot := range x.Target.Want() {
		wg.Go(func() {
			if !x.probe(ctx, p, slot, 0) {
				silent.Store(true)
			}
		})
	}
	wg.Wait()
	return !silent.Load()
}

// allAtOnce has all slots work at the same time, and then on a queue; what does not answer is given as long as settling
// may take.
func (x *experiment) allAtOnce(ctx context.Context, first bool) {
	ctx, cancel := context.WithTimeout(ctx, x.Settle+2*history.Patience(x.workers()))
	defer cancel()
	if x.workers() == 0 || !x.builtIn() {
		return
	}
	x.together(ctx, first)
	x.queues(ctx, first)
}

// stop closes the target and looks for what is left of it. A run that was ended early does not wait for a target to be
// whole.
func (x *experiment) stop(early bool) {
	patience := x.Settle
	if early {
		patience = 0
	}
	x.account(early)
	x.lastSample(0, patience)
	x.stage(history.Stop)
	if x.Close != nil {
		ended := 0
		if err := x.Close(); err != nil {
			x.note("closing the target: %v", err)
			if left := (*LeftError)(nil); errors.As(err, &left) {
				ended = left.Processes
			}
		}
		x.lastSample(ended, 0)
	}
	x.hearWitness()
}

// account records what is left of the tasks in the target's queue: once there is nothing, or when it has had the time
// to find out.
func (x *experiment) account(early bool) {
	t, ok := x.Target.(Accounting)
	if !ok {
		return
	}
	patience := accountPatience
	if x.Target.Describe().Brokers > 1 {
		patience = accountPatienceOfSeveral
	}
	if early {
		patience = 0
	}
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(context.Background(), accountWithin)
		a, err := t.Account(ctx)
		cancel()
		late := time.Now().After(deadline)
		switch {
		case a == nil && err == nil:
			return
		case err != nil && late:
			x.note("the target does not tell what is left in its queue: %v", err)
			return
		case err == nil && (late || a.Left() == 0):
			x.record(history.Event{Account: a})
			return
		}
		_ = wait.For(context.Background(), accountEvery)
	}
}

const (
	accountWithin = 5 * time.Second
	accountEvery  = 50 * time.Millisecond
	// What a member was to acknowledge when it was killed is handed out again after the patience of its broker, half a
	// minute mostly.
	accountPatience = 40 * time.Second
	// Where several brokers keep the queue, what was acknowledged while one that led ended is taken out when they next
	// look for it, after two and a half minutes at most: see docs/decisions/0107-what-brokers-keep.md.
	accountPatienceOfSeveral = 170 * time.Second
)

// hearWitness adds what the tasks recorded of themselves.
func (x *experiment) hearWitness() {
	if x.Witness == "" || x.loader == nil {
		return
	}
	if err := x.trouble(); err != nil && !x.troubled.Load() {
		x.fail(err)
	}
	runs, torn, err := witness.ReadFile(x.Witness, x.clock.base)
	for i := range runs {
		x.record(history.Event{Run: &runs[i]})
	}
	if torn > 0 {
		x.record(
			history.Event{Note: &history.Note{Text: fmt.Sprintf("%d lines of the witness are torn", torn), Torn: torn}})
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // the first execution makes it: there was none
		x.fail(err)
	}
}

// end closes the history.
func (x *experiment) end(cause error) error {
	if err := x.rec.Close(cause != nil); err != nil && !errors.Is(cause, ErrHistory) {
		x.failures = append(x.failures, fmt.Errorf("%w: %w", ErrHistory, err))
	}
	return errors.Join(x.failures...)
}
