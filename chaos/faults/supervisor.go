package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// Supervisor ends the parent of all members by a signal, SIGKILL unless it says otherwise. The evidence is that the parent
// is gone, and a census of the descendants that it left: a pool that keeps its word has none after a second.
type Supervisor struct {
	Signal string `yaml:"signal,scalar" doc:"Default KILL."`
}

func (s Supervisor) signal() Signal { return Signal{Name: cmp.Or(s.Signal, "KILL")} }

func (s Supervisor) String() string {
	return "supervisor " + strings.TrimPrefix(s.signal().String(), "signal ")
}

// Validate wants a signal that there is.
func (s Supervisor) Validate() error { return s.signal().Validate() }

// Traits implements chaos.Fault.
func (s Supervisor) Traits() chaos.Traits {
	return chaos.Traits{Whole: true, Resizes: true, Abandons: true, EndsParent: true, Idle: s.signal().Traits().Idle}
}

// Begin makes an injection.
func (s Supervisor) Begin() chaos.Injection { return &orphaning{Supervisor: s} }

// orphanGrace is how long the descendants of a parent that was killed may live.
const orphanGrace = time.Second

type orphaning struct {
	chaos.Steps
	Supervisor
	marker string
	pid    int
	pidfd  *os.File
}

func (o *orphaning) Setup(_ context.Context, c *chaos.Case) error {
	t, err := chaos.Capability[chaos.Supervised](c, "lose its parent: it is this process")
	if err != nil {
		return err
	}
	m, err := chaos.Capability[chaos.Marked](c, "tell its descendants")
	if err != nil {
		return err
	}
	o.marker, o.pid = chaos.MarkerEntry(m.Marker()), t.Supervisor()
	if err := chaos.Protected(o.pid); err != nil {
		return err
	}
	o.pidfd, err = chaos.HoldProcess(o.pid)
	return err
}

func (o *orphaning) Inject(context.Context, *chaos.Case) error {
	return chaos.SignalProcess(o.pidfd, o.pid, o.Supervisor.signal().number())
}

func (o *orphaning) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: chaos.TierReadable, Evidence: map[string]string{"parent": fmt.Sprint(o.pid)}}
	gone := make(chan error, 1)
	go func() { gone <- pidfd.Await(o.pidfd) }()
	select {
	case err := <-gone:
		if err != nil {
			return r, err
		}
	case <-time.After(fatalWait):
		return r, errors.New("the parent is alive")
	case <-ctx.Done():
		return r, ctx.Err()
	}
	r.At = c.Now()
	died := time.Now()
	left, err := o.descendants()
	for ; err == nil && left > 0 && time.Since(died) < orphanGrace; left, err = o.descendants() {
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return r, err
		}
	}
	if err != nil {
		return r, fmt.Errorf("look for the descendants: %w", err)
	}
	r.Evidence["descendants"] = fmt.Sprint(left)
	if left == 0 {
		r.Evidence["none left after"] = time.Since(died).Round(time.Millisecond).String()
	} else {
		r.Evidence["left after"] = orphanGrace.String()
	}
	return r, nil
}

// descendants counts the processes that carry the target's marker and live; zombies do not.
func (o *orphaning) descendants() (n int, err error) {
	table, err := procfs.Snapshot()
	if err != nil {
		return 0, err
	}
	for pid, p := range table {
		if p.Alive() && pid != o.pid && procfs.Marked(pid, o.marker) {
			n++
		}
	}
	return n, nil
}

func (o *orphaning) Cleanup(context.Context, *chaos.Case) error {
	if o.pidfd != nil {
		return o.pidfd.Close()
	}
	return nil
}
