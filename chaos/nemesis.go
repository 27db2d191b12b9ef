package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// patience is how long a shot waits for a member that can be picked: the one it wants may just be booting. For the ones
// that are first in its order it waits for loyalty: so that one seed gives the same victims, although members come back
// sooner or later.
const (
	patience = time.Second
	loyalty  = 250 * time.Millisecond
)

// fire strikes once: it picks the victims and injects the fault into each of them at the same time.
func (x *experiment) fire(ctx, probeCtx context.Context, s Shot, due time.Duration) {
	traits := s.Fault.Traits()
	if traits.Resizes && traits.Leaves < x.MinAlive {
		n := x.planned(s, nil, due)
		x.settled(n, s, nil, history.Receipt{},
			Refuse("min_alive reached: %s leaves fewer members alive than %d", s.Fault, x.MinAlive))
		return
	}
	if traits.Whole {
		x.inject(ctx, probeCtx, s, nil, due)
		return
	}
	victims, err := x.pick(ctx, s)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, v := range victims {
		wg.Go(func() {
			defer x.letGo(v)
			x.inject(ctx, probeCtx, s, v, due)
		})
	}
	if err != nil && ctx.Err() == nil {
		n := x.planned(s, nil, due)
		x.settled(n, s, nil, history.Receipt{}, err)
	}
}

// pick takes hold of the victims of a shot. It may return some and an error that says why there are not more.
func (x *experiment) pick(ctx context.Context, s Shot) ([]*Victim, error) {
	for began := time.Now(); ; {
		victims, err := x.tryPick(ctx, s, time.Since(began) < loyalty)
		late := time.Since(began) > patience
		if len(victims) > 0 || err != nil && (late || !later(err)) {
			return victims, err
		}
		if late {
			return nil, &MissedError{fmt.Sprintf("within %v no member could be picked: %s", patience, x.pickFor(s))}
		}
		if err := wait.For(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// later tells of a member that cannot be had now, though another one may be in its place soon, or itself.
func later(err error) bool {
	var missed *MissedError
	return errors.Is(err, ErrGone) || errors.As(err, &missed)
}

// tryPick is pick at this moment; nothing and no error means that there was nobody, ErrGone that those who were listed
// are dead. If it is loyal it takes only those that are first in the shot's order.
func (x *experiment) tryPick(ctx context.Context, s Shot, loyal bool) (victims []*Victim, err error) {
	x.pickMu.Lock()
	defer x.pickMu.Unlock()
	members, err := x.Target.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the target's members: %w", err)
	}
	var gone error
	for _, c := range x.choose(s, members, loyal) {
		if x.MinAlive > 0 && x.spare(members, c.Role)-1 < x.MinAlive {
			return victims, Refuse("min_alive reached: no more than %d members are alive and unharmed", x.MinAlive)
		}
		v, err := hold(ctx, x.Target, c.Member, c.rank, x.clock)
		if later(err) {
			gone = err
			continue
		}
		if err != nil {
			return victims, err
		}
		x.mu.Lock()
		x.held[v] = true
		x.mu.Unlock()
		victims = append(victims, v)
	}
	if len(victims) > 0 {
		return victims, nil
	}
	return nil, gone
}

// choose lists whom a shot would hit at this moment.
func (x *experiment) choose(s Shot, members []Member, loyal bool) (chosen []candidate) {
	pick := x.pickFor(s)
	list := slices.DeleteFunc(pick.candidates(members, x.taken), func(c candidate) bool {
		if pick.In == "" {
			return false
		}
		in, err := inCall(c.PID, pick.In)
		var refused *RefusedError
		return !in && !errors.As(err, &refused) // who must not be looked at is refused when it is aimed at
	})
	if len(list) == 0 {
		return nil
	}
	if s.Aims != nil {
		return again(s.Aims, list)
	}
	slots, o := x.slotsOf(pick), order{seed: x.Seed, draw: s.Draw, place: s.Place}
	switch pick.Role {
	case Broker:
		o.from = x.workers()
	case Owner:
		o.from = x.workers() + x.Target.Describe().Brokers
	}
	chosen = pick.choose(list, s.Turn%max(slots, 1), slots, o)
	if n := pick.number(slots); loyal && pick.byChance() {
		for _, slot := range o.slots(slots, n)[:min(n, slots)] {
			if !slices.ContainsFunc(chosen, func(c candidate) bool { return c.Slot == slot }) {
				return nil
			}
		}
	}
	return chosen
}

// workers is how many slots the target wants for members that run tasks.
func (x *experiment) workers() int {
	what := x.Target.Describe()
	return max(0, x.Target.Want()-what.Brokers-what.Owners)
}

// places is how many tasks all of these can run at a time.
func (x *experiment) places() int { return x.workers() * max(1, x.Target.Describe().Places) }

// slotsOf is how many slots there are for members that the pick is about.
func (x *experiment) slotsOf(p Pick) int {
	switch p.Role {
	case Broker:
		return x.Target.Describe().Brokers
	case Owner:
		return x.Target.Describe().Owners
	}
	return x.workers()
}

// pickFor is the pick of a shot's nemesis, in the phase that the fault insists on if it does.
func (x *experiment) pickFor(s Shot) Pick {
	pick := x.Chaos[s.Nemesis].Pick
	pick.Phase = cmp.Or(s.Fault.Traits().Phase, pick.Phase)
	return pick
}

// taken tells whether a member is somebody's victim already.
func (x *experiment) taken(m Member) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for v := range x.held {
		if v.PID == m.PID && v.Started.Equal(m.Started) { // its slot may be another one by now
			return true
		}
	}
	return false
}

// spare counts the members of a role that are nobody's victim and alive. A victim is let go of when it is dead, so that
// it is asked for first whether somebody has it: the other way round one that dies in between would pass for both.
// pickMu is held.
func (x *experiment) spare(members []Member, role string) (n int) {
	for _, m := range members {
		if m.Role != role || x.taken(m) {
			continue
		}
		if p, err := procfs.Read(m.PID); err == nil && p.Alive() {
			n++
		}
	}
	return n
}

// holdAll takes hold of every member.
func (x *experiment) holdAll(ctx context.Context) (all []*Victim, letGo func(), err error) {
	x.pickMu.Lock()
	defer x.pickMu.Unlock()
	letGo = func() {
		for _, v := range all {
			x.letGo(v)
		}
	}
	members, err := x.Target.Members(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list the target's members: %w", err)
	}
	for rank, m := range members {
		v, err := hold(ctx, x.Target, m, rank, x.clock)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err == nil && x.taken(m) {
			v.release()
			err = Refuse("another injection has the member in slot %d: let this one begin later", m.Slot)
		}
		if err != nil {
			letGo()
			return nil, nil, err
		}
		x.mu.Lock()
		x.held[v] = true
		x.mu.Unlock()
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, nil, Refuse("the target has no members")
	}
	return all, letGo, nil
}

func (x *experiment) letGo(v *Victim) {
	x.mu.Lock()
	delete(x.held, v)
	x.mu.Unlock()
	v.release()
}

// inject leads one injection through its life, and sends a probe to the slot of a victim that ends of it.
func (x *experiment) inject(ctx, probeCtx context.Context, s Shot, v *Victim, due time.Duration) {
	n := x.planned(s, v, due)
	c := &Case{
		Target: x.Target, Victim: v, Guardian: x.Guardian, Until: x.planEnd, clock: x.clock, ownOOM: x.countOOM,
		claims: &x.claims, pending: func() bool { return x.pending.Load() > 0 }, recovered: x.recovered,
		holdAll: x.holdAll,
	}
	if v != nil {
		c.exit = x.exits.watch(v.Member)
		defer x.exits.forget(c.exit)
		defer x.probeAfterDeath(probeCtx, n, v)()
	}
	var inj Injection = &recorded{s.Fault.Begin(), func() { x.injected(n, s, v) }}
	if pick := x.pickFor(s); pick.hitsExactly() && v != nil {
		inj = &aimed{Injection: inj, phase: pick.Phase, call: pick.In, staysStopped: s.Fault.Traits().StaysStopped}
	}
	err := live(ctx, inj, c, func(r history.Receipt, err error) { x.settled(n, s, v, r, err) })
	switch {
	case err == nil:
		x.record(history.Event{Fault: &history.Fault{N: n, Nemesis: s.Nemesis, Op: history.Healed}})
	case !errors.Is(err, ErrNothingToHeal):
		x.record(
			history.Event{Fault: &history.Fault{N: n, Nemesis: s.Nemesis, Op: history.HealFailed, Err: err.Error()}})
		x.fail(fmt.Errorf("injection %d (%s) could not be healed: %w", n, s.Fault, err))
	}
}

// recorded tells when the harm begins: before it does, so that its effects come after it in the history.
type recorded struct {
	Injection
	begin func()
}

func (r *recorded) Inject(ctx context.Context, c *Case) error {
	r.begin()
	return r.Injection.Inject(ctx, c)
}

func (x *experiment) planned(s Shot, v *Victim, due time.Duration) (n int) {
	x.mu.Lock()
	x.lastN++
	n = x.lastN
	x.mu.Unlock()
	f := &history.Fault{N: n, Nemesis: s.Nemesis, Op: history.Planned, Fault: s.Fault.String(), Due: due}
	f.Victim = x.victimOf(s, v)
	x.record(history.Event{Fault: f})
	return n
}

// victimOf is whom a shot is aimed at: a member, the target's parent, or nobody in particular.
func (x *experiment) victimOf(s Shot, v *Victim) *history.Victim {
	switch t, ok := x.Target.(Supervised); {
	case v != nil:
		return v.record()
	case ok && s.Fault.Traits().EndsParent:
		return &history.Victim{Slot: -1, PID: t.Supervisor(), Name: "the parent of " + x.Target.Describe().Name}
	}
	return nil
}

func (x *experiment) injected(n int, s Shot, v *Victim) {
	f := &history.Fault{N: n, Nemesis: s.Nemesis, Op: history.Injected, Fault: s.Fault.String()}
	f.Victim = x.victimOf(s, v)
	t := s.Fault.Traits()
	f.Ends, f.Marker, f.Leads = t.Ends, t.Marker, t.Leads
	f.Closes = f.Victim == nil && t.Resizes && t.Leaves == 0
	x.record(history.Event{Fault: f})
}

func (x *experiment) settled(n int, s Shot, v *Victim, r history.Receipt, err error) {
	f := &history.Fault{
		N: n, Nemesis: s.Nemesis, Op: history.Concluded, Fault: s.Fault.String(), Outcome: OutcomeOf(err),
	}
	f.Victim = x.victimOf(s, v)
	f.Fatal = err == nil && (v != nil && v.Gone() || v == nil && f.Victim != nil)
	if r.Tier != "" {
		f.Receipt = &r
		if v != nil && v.Call != "" {
			r.Evidence = maps.Clone(r.Evidence)
			r.Evidence["call"] = "last entered " + v.Call + ", which may have completed"
		}
	}
	if err != nil {
		f.Err = err.Error()
	}
	x.record(history.Event{Fault: f})
	var panicked *PanicError
	if errors.As(err, &panicked) {
		x.fail(fmt.Errorf("injection %d (%s): %w\n%s", n, s.Fault, panicked, panicked.Stack))
	}
}

// who is one member in the course of a run.
type who struct{ pid, slot, gen int }

// countOOM notes that the kernel killed that member for memory, n times with what it had started. The target and a
// fault may both tell of the same.
func (x *experiment) countOOM(w who, n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ownOOM[w] = max(x.ownOOM[w], n)
}
