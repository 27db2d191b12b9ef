package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// The bugs that can be put at the edge of a fleet: it keeps its promises, and what the harness sees is one that does
// not.
const (
	losesTasks       = "loses-tasks"       // one task in ten has no outcome, once something was done to the fleet
	runsTwice        = "runs-twice"        // one task in ten runs once more, then
	wrongValues      = "wrong-values"      // one task in ten has a value that lacks something, then
	blamesBystanders = "blames-bystanders" // one task in ten is charged with what was done, then
	killsOthers      = "kills-others"      // the first harm ends another process, too
	noRespawn        = "no-respawn"        // nobody starts again what has ended
	leavesTasks      = "leaves-tasks"      // tasks that nobody can run are left in the queue, once something was done
	impatient        = "impatient"         // tasks that no node knows are given up at once
)

var bugs = []string{
	losesTasks, runsTwice, wrongValues, blamesBystanders, killsOthers, noRespawn, leavesTasks, impatient,
}

// longerThanProofs is how long nobody is stopped whom the harness stops to see who does the work.
const longerThanProofs = 3 * time.Second

// spoil looks for what was done to the fleet, until ctx ends: by the harness, which says so, or to a process, which
// ends or stops.
func (d *driver) spoil(ctx context.Context) {
	first, went := d.local.Members(), time.Now() // when all of them went on
	var left time.Time
	for wait.For(ctx, lookEvery) == nil {
		now := d.local.Members()
		if !slices.ContainsFunc(now, stopped) {
			went = time.Now()
		}
		if d.harmed.Load() == 0 && (!same(first, now) || time.Since(went) > longerThanProofs) {
			d.harmed.Add(1)
		}
		if d.harmed.Load() > 0 && slices.Contains(d.bugs, leavesTasks) {
			if time.Since(left) > leaveEvery { // each is given up after half a minute
				nobodys.Submit(ctx, d.fleet, 0)
				left = time.Now()
			}
		}
		if d.harmed.Load() > 0 && slices.Contains(d.bugs, killsOthers) && len(now) > 0 {
			if _, err := d.local.Signal(now[0].Name, syscall.SIGKILL); err == nil {
				return
			}
		}
	}
}

// leaveEvery is how often a task is left.
const leaveEvery = 5 * time.Second

// nobodys is a task for workers of another language than the nodes have.
var nobodys = pool.External[int, int]("respawn-fleet.nobodys")

func stopped(m localfleet.Member) bool {
	is, err := procfs.Stopped(m.PID)
	return err == nil && is
}

func same(a, b []localfleet.Member) bool {
	return slices.EqualFunc(a, b, func(a, b localfleet.Member) bool { return a.PID == b.PID })
}

// spoils makes of the task's outcome what the bugs want, and tells whether it is to have none.
func (d *driver) spoils(ctx context.Context, task witnessedTask, value *witnessedValue, failed *error) bool {
	if d.harmed.Load() == 0 || task.ID%10 != 0 {
		return false
	}
	has := func(bug string) bool { return slices.Contains(d.bugs, bug) }
	if has(runsTwice) {
		_, _ = witnessed.Call(ctx, d.fleet, task) // its execution is what counts
	}
	if has(wrongValues) {
		value.Value--
	}
	if has(blamesBystanders) {
		*failed = errors.New("the task ended its node")
	}
	return has(losesTasks)
}
