// Package outside is what all pools that run outside this process have in common as targets: their members come from
// listings and from /proc, their slots are made up, and a slot is probed by overlapping tasks.
package outside

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
)

// Pool is a pool outside this process, for a target to embed. Watch makes it. Safe for concurrent use.
type Pool struct {
	*roster
	prober *prober
	phases phases
	what   history.Target
	end    context.CancelFunc
	tasks  atomic.Uint64   // that have a number
	forks  *forks.Follower // nil where the kernel tells of none
}

// ProbeFor is how long a probing task takes: long enough that as many as there are slots overlap.
const ProbeFor = 20 * time.Millisecond

// Lister lists the workers of a pool, and tells which processes are the pool's.
type Lister interface {
	Workers(ctx context.Context) ([]int, error)
	Owns(pid int) bool
	PID() int // of the process that was started, from which they all descend
}

// Placer is a Lister that tells of each worker where it is and what it is, so that neither is made up. It is asked for
// those of its last listing.
type Placer interface {
	Place(pid int) (p Place, ok bool)
}

// Place is what a Placer tells of a worker.
type Place struct {
	Slot       int // from 0
	Role, Name string
	Phase      string // "": by the witnesses
}

// FollowForks begins to follow what is born from now on; nil where the kernel does not tell.
func FollowForks() *forks.Follower {
	f, err := forks.Follow()
	if err != nil {
		return nil
	}
	return f
}

// Watch begins to watch a pool that is up, whose workers are those first. witness is "" when its tasks are no
// witnesses. f was opened before the pool was started; it is closed with the rest. What the pool can beside telling of
// its members is what.Can, or if that is nil that its processes carry a marker.
func Watch(what history.Target, p Lister, first []int, f *forks.Follower, witness string,
	send func(context.Context) (int, error),
) *Pool {
	var ended follower
	if f != nil && f.Sees(p.PID()) {
		ended = func() []forks.Life { return f.Ended(p.PID()) }
	}
	r := newRoster(what.Size, what.Most > 0, first, p, ended)
	life, end := context.WithCancel(context.Background())
	if what.Can == nil {
		what.Can = []string{"marker"}
	}
	what.Can = append([]string{"events", "slots"}, what.Can...)
	if ended != nil {
		what.Can = append(what.Can, "forks")
	}
	if witness != "" {
		what.Can = append(what.Can, "witness", "phases")
	}
	return &Pool{
		roster: r, what: what, end: end, phases: phases{path: witness}, forks: f,
		prober: &prober{life: life, roster: r, lanes: what.Workers(), send: send},
	}
}

// Stop ends the watching. The pool goes on.
func (o *Pool) Stop() {
	o.end()
	o.roster.close()
	if o.forks != nil {
		_ = o.forks.Close()
	}
}

// Describe implements chaos.Target.
func (o *Pool) Describe() history.Target { return o.what }

// Want implements chaos.Target.
func (o *Pool) Want() int {
	if o.prober.life.Err() != nil {
		return 0
	}
	return o.what.Size
}

// Members implements chaos.Target. Each member is held by a pidfd since it was listed, so that one that is listed here
// is the process that it was then.
func (o *Pool) Members(context.Context) ([]chaos.Member, error) {
	if err := o.phases.refresh(); err != nil {
		return nil, fmt.Errorf("read the file of witnesses: %w", err)
	}
	return o.members(o.phases.of), nil
}

// Number implements chaos.Numbering.
func (o *Pool) Number(n int) (first uint64) { return o.tasks.Add(uint64(n)) - uint64(n) + 1 }

// NextProbe numbers a probing task, and puts it into the history: to the pool it is a task of the load like any other.
func (o *Pool) NextProbe() (id uint64) {
	id = o.Number(1)
	o.Announce(history.MemberEvent{Op: history.Probed, Task: id})
	return id
}

// ProbeAnswered puts into the history who is said to have run a probing task.
func (o *Pool) ProbeAnswered(id uint64, pid int) {
	o.Announce(history.MemberEvent{Op: history.ProbeAnswered, Task: id, PID: pid})
}

// Probe implements chaos.Prober.
func (o *Pool) Probe(ctx context.Context, slot int) (int, error) { return o.prober.probe(ctx, slot) }

// Unwitnessed implements chaos.Unwitnessed.
func (o *Pool) Unwitnessed() bool { return o.phases.path == "" }

// Occupant is the living process in a slot; 0 without one.
func (o *Pool) Occupant(slot int) int { return o.occupant(slot) }

// Witness is the file that the tasks record their executions in, for chaos.Run.Witness; "" without one.
func (o *Pool) Witness() string { return o.phases.path }

// Factor is the number that a task is about: small, so that its square fits every language's integers.
func Factor(id uint64) int { return int(id % 10_000) }

// PlainTask is a built-in task as those outside know it: how long it takes.
func PlainTask(kind string, t chaos.Task) (ms int64, err error) {
	switch t.Name {
	case "square":
		return 0, nil
	case "sleep":
		d, _ := t.Args["duration"].(time.Duration)
		return d.Milliseconds(), nil
	}
	return 0, fmt.Errorf("the %s target cannot run the task %s: it knows sleep and square", kind, t.Name)
}

// Square is the value of a sleep or a square of that number.
func Square(id uint64) string { return fmt.Sprint(Factor(id) * Factor(id)) }

// RightAnswer says how a task ended that was answered with a value.
func RightAnswer(t chaos.Task, value, want string, pid int) chaos.Settled {
	if value != want {
		return chaos.Settled{
			Outcome: history.Wrong, PID: pid,
			Err: fmt.Sprintf("task %d was answered with %.80q, want %s", t.ID, value, want),
		}
	}
	return chaos.Settled{Outcome: history.OK, PID: pid}
}
