package localfleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// ownerPart is a process that submits tasks of its own, a burst after the other, and checks their values.
type ownerPart struct {
	Fleet, Servers string
	Settled        string // the file in which it keeps how far it is
	Replicas       int
	InMemory       bool
}

// addOwners gives the owners their places, behind all others.
func (f *Fleet) addOwners() {
	for i := range f.cfg.Owners {
		name := ownerName(i)
		o := &ownerPart{
			f.cfg.Fleet, f.serversOf(name), filepath.Join(f.dir, name+".settled"), f.cfg.Brokers, f.cfg.InMemory,
		}
		f.members = append(f.members, &member{
			Member: Member{Role: Owner, Slot: f.cfg.Nodes + f.cfg.Brokers + i + 1, Name: name}, part: part{Owner: o},
		})
	}
}

// The bursts of an owner: short enough to leave nodes to others for most of the time.
const (
	burst      = 10
	burstTask  = 20 * time.Millisecond
	burstPause = 500 * time.Millisecond
)

var owned = pool.Register("respawn-fleet.owned", func(ctx context.Context, n int) (int, error) {
	return n * n, wait.For(ctx, burstTask)
})

// run submits until ctx ends. A task that fails, or has a wrong value, ends it.
func (o *ownerPart) run(ctx context.Context) error {
	f, err := fleet.Dial(ctx,
		fleet.Config{Fleet: o.Fleet, Servers: o.Servers, Replicas: o.Replicas, InMemory: o.InMemory})
	if err != nil {
		return err
	}
	defer f.Close()
	in := make([]int, burst)
	for settled := 0; ; {
		for i := range in {
			in[i] = settled + i
		}
		out, err := owned.Map(ctx, f, in)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for i, n := range in {
			if out[i] != n*n {
				return fmt.Errorf("the square of %d is %d to this fleet", n, out[i])
			}
		}
		settled += burst
		if err := o.tell(settled); err != nil {
			return err
		}
		if wait.For(ctx, burstPause) != nil {
			return nil
		}
	}
}

// tell puts it into the file at once as a whole.
func (o *ownerPart) tell(settled int) error {
	next := fmt.Sprintf("%s.%d", o.Settled, os.Getpid())
	if err := os.WriteFile(next, fmt.Appendf(nil, "%d %d\n", os.Getpid(), settled), 0o600); err != nil {
		return err
	}
	return os.Rename(next, o.Settled)
}

// Settled is how many tasks an owner has had their right values of, and the process that says so; zeros while it says
// nothing.
func (f *Fleet) Settled(name string) (pid, tasks int) {
	for _, m := range f.members {
		if m.Name == name && m.part.Owner != nil {
			text, _ := os.ReadFile(m.part.Owner.Settled) // not there yet
			_, _ = fmt.Sscan(string(text), &pid, &tasks)
		}
	}
	return pid, tasks
}
