package targets

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
)

// outside is what all pools that run outside this process have in common as targets: their members come from listings
// and from /proc, and a slot is probed by overlapping tasks.
type outside struct {
	*roster
	prober *prober
	phases phases
	what   history.Target
	end    context.CancelFunc
	probes atomic.Uint64
	forks  *forks.Follower // nil where the kernel tells of none
}

// firstProof is the number of the first task by which a driver proves that its workers are such.
const firstProof = history.FirstProbe<<1 - 1<<20

// lastProof is that of the first one when the faults are over.
const lastProof = firstProof + 1<<19

// probeFor is how long a probing task takes: long enough that as many as there are slots overlap.
const probeFor = 20 * time.Millisecond

// lister lists the workers of a pool, and tells which processes are the pool's.
type lister interface {
	Workers(ctx context.Context) ([]int, error)
	Owns(pid int) bool
	PID() int // of the process that was started, from which they all descend
}

// followForks begins to follow what is born from now on; nil where the kernel does not tell.
func followForks() *forks.Follower {
	f, err := forks.Follow()
	if err != nil {
		return nil
	}
	return f
}

// newOutside begins to watch a pool that is up, whose workers are those first. witness is "" when its tasks are no witnesses. f was
// opened before the pool was started; it is closed with the rest.
func newOutside(what history.Target, p lister, first []int, f *forks.Follower, witness string, send func(context.Context) (int, error)) *outside {
	var ended follower
	if f != nil && f.Sees(p.PID()) {
		ended = func() []forks.Life { return f.Ended(p.PID()) }
	}
	r := newRoster(what.Size, first, p.Workers, p.Owns, ended)
	life, end := context.WithCancel(context.Background())
	what.Can = []string{"events", "slots", "marker"}
	if ended != nil {
		what.Can = append(what.Can, "forks")
	}
	if witness != "" {
		what.Can = append(what.Can, "witness", "phases")
	}
	return &outside{
		roster: r, what: what, end: end, phases: phases{path: witness}, forks: f,
		prober: &prober{life: life, roster: r, lanes: what.Size, send: send},
	}
}

// stop ends the watching. The pool goes on.
func (o *outside) stop() {
	o.end()
	o.roster.close()
	if o.forks != nil {
		_ = o.forks.Close()
	}
}

// Describe implements chaos.Target.
func (o *outside) Describe() history.Target { return o.what }

// Want implements chaos.Target.
func (o *outside) Want() int {
	if o.prober.life.Err() != nil {
		return 0
	}
	return o.what.Size
}

// Members implements chaos.Target. Each member is held by a pidfd since it was listed, so that one that is listed here
// is the process that it was then.
func (o *outside) Members(context.Context) ([]chaos.Member, error) {
	if err := o.phases.refresh(); err != nil {
		return nil, fmt.Errorf("read the file of witnesses: %w", err)
	}
	return o.members(o.phases.of), nil
}

// nextProbe numbers a probing task, and puts it into the history: to the pool it is a submission like any other.
func (o *outside) nextProbe() (id uint64) {
	id = history.FirstProbe + o.probes.Add(1)
	o.announce(history.Member{Op: "probed", Task: id})
	return id
}

// probeAnswered puts into the history who is said to have run a probing task.
func (o *outside) probeAnswered(id uint64, pid int) {
	o.announce(history.Member{Op: "probe-answered", Task: id, PID: pid})
}

// Probe implements chaos.Target.
func (o *outside) Probe(ctx context.Context, slot int) (int, error) { return o.prober.probe(ctx, slot) }

// Witness is the file that the tasks record their executions in, for chaos.Run.Witness; "" without one.
func (o *outside) Witness() string { return o.phases.path }

// factor is the number that a task is about: small, so that its square fits every language's integers.
func factor(id uint64) int { return int(id % 10_000) }

// plainTask is a built-in task as those outside know it: how long it takes.
func plainTask(kind string, t chaos.Task) (ms int64, err error) {
	switch t.Name {
	case "square":
		return 0, nil
	case "sleep":
		d, _ := t.Args["duration"].(time.Duration)
		return d.Milliseconds(), nil
	}
	return 0, fmt.Errorf("the %s target cannot run the task %s: it knows sleep and square", kind, t.Name)
}

// rightAnswer says how a task ended that was answered with a value.
func rightAnswer(t chaos.Task, value string, pid int) chaos.Settled {
	n := factor(t.ID)
	if want := fmt.Sprint(n * n); value != want {
		return chaos.Settled{Outcome: history.Wrong, PID: pid, Err: fmt.Sprintf("task %d was answered with %.80q, want %s", t.ID, value, want)}
	}
	return chaos.Settled{Outcome: history.OK, PID: pid}
}
