package chaos

import (
	"context"
	"os"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

const (
	hostLookEvery = 250 * time.Millisecond // a look takes no more than a tenth of the time
	canarySleeps  = 10 * time.Millisecond
)

// watchHost records what the host gives to the run and to others, again and again until stop is called.
func (x *experiment) watchHost() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	h := newHostWatch(x)
	go func() {
		defer close(done)
		for every := hostLookEvery; ; {
			late, ended := canary(ctx, every)
			began := time.Now()
			look := h.read(late)
			x.record(history.Event{Host: &look})
			every = max(hostLookEvery, 10*time.Since(began))
			if ended {
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// canary sleeps a known time again and again for so long, and tells how much longer each took. It ends early with ctx.
func canary(ctx context.Context, long time.Duration) (late []time.Duration, ended bool) {
	for began := time.Now(); time.Since(began) < long; {
		slept := time.Now()
		if wait.For(ctx, canarySleeps) != nil {
			return late, true
		}
		late = append(late, max(0, time.Since(slept)-canarySleeps).Round(time.Microsecond))
	}
	return late, false
}

// hostWatch is what the last look at the host saw.
type hostWatch struct {
	x        *experiment
	at       time.Duration
	own      ownTime
	cpus     procfs.CPUTimes
	psi      string
	pressure time.Duration
	limits   map[string]cgroup.Bandwidth
}

func newHostWatch(x *experiment) *hostWatch {
	h := &hostWatch{
		x: x, own: ownTime{parent: x.sampler.parent}, psi: cgroup.PressureFile(), limits: map[string]cgroup.Bandwidth{},
	}
	if marked, ok := x.Target.(Marked); ok {
		h.own.marker = MarkerEntry(marked.Marker())
	}
	h.read(nil)
	return h
}

// read tells what happened since the last look.
func (h *hostWatch) read(late []time.Duration) history.Host {
	now := h.x.clock.now()
	look := history.Host{Over: now - h.at, Late: late, Pressure: -1}
	h.at = now
	cpus, err := procfs.ReadCPUTimes()
	table, tableErr := snapshot()
	look.Own = h.own.since(table)
	if err == nil && tableErr == nil && cpus.CPUs == h.cpus.CPUs {
		look.CPUs = cpus.CPUs
		look.Others = max(0, cpus.Busy-h.cpus.Busy-look.Own)
		look.Idle = max(0, cpus.Idle-h.cpus.Idle+cpus.Nice-h.cpus.Nice)
		look.Stolen = max(0, cpus.Stolen-h.cpus.Stolen)
		look.Stolen += stoodStill(look, cpus.Busy-h.cpus.Busy)
	}
	h.cpus = cpus
	if total, err := procfs.ReadPressure(h.psi); err == nil {
		look.Pressure = max(0, total-h.pressure)
		h.pressure = total
	}
	look.Limit = h.limit(look.Own)
	return look
}

// stoodStill is the CPU time for which the machine itself did not run, as when it was paused: then its own counters
// miss most of the time that has passed.
func stoodStill(look history.Host, busy time.Duration) time.Duration {
	all := look.Over * time.Duration(look.CPUs)
	if missing := all - busy - look.Idle - look.Stolen; missing > all/2 {
		return missing
	}
	return 0
}

// Limit is the limit on CPU time that stopped its group most since the last look, of several the tightest.
func (h *hostWatch) limit(own time.Duration) (worst *history.CPULimit) {
	share := func(l *history.CPULimit) float64 { return float64(l.Throttled) / float64(max(1, l.Periods)) }
	for _, b := range cgroup.Bandwidths() {
		last, known := h.limits[b.Dir]
		h.limits[b.Dir] = b
		if !known {
			continue
		}
		l := &history.CPULimit{CPUs: b.CPUs, Periods: b.Periods - last.Periods, Throttled: b.Throttled - last.Throttled}
		if b.UsedKnown {
			l.Others = max(0, b.Used-last.Used-own)
		}
		if worst == nil || share(l) > share(worst) || share(l) == share(worst) && l.CPUs < worst.CPUs {
			worst = l
		}
	}
	return worst
}

// ownTime follows the CPU time of the harness, the target's parent and whatever descends from either or bears the
// target's marker. Who belonged to them once belongs to them for good, whoever its parent is by then.
type ownTime struct {
	parent int
	marker string              // "": there is none
	own    map[int]procfs.Proc // as of the last look
	others map[int]procfs.Proc // the same of those that were looked at and are not
}

// since is the CPU time of ours since the last look. What a process used between two looks and its end is known from
// its parent, if that waited for it.
func (o *ownTime) since(table procfs.Table) time.Duration {
	own, others := make(map[int]procfs.Proc), make(map[int]procfs.Proc)
	var used, reaped time.Duration
	roots := func(pid int) bool { return pid == o.parent || pid == os.Getpid() }
	for pid, p := range table {
		last, known := o.own[pid]
		known = known && last.Started == p.Started
		if !known && !table.Has(pid, roots) && !o.marked(pid, p) {
			others[pid] = p
			continue
		}
		own[pid] = p
		if !known {
			last = procfs.Proc{}
			if o.own == nil { // what it did before the first look does not count
				last = p
			}
		}
		used += max(0, p.CPU-last.CPU)
		reaped += max(0, p.Reaped-last.Reaped)
	}
	for pid, last := range o.own {
		if p, there := own[pid]; !there || p.Started != last.Started {
			reaped -= last.CPU + last.Reaped // these were counted
		}
	}
	o.own, o.others = own, others
	return used + max(0, reaped)
}

// marked looks once at the environment of each process that is nobody's of ours.
func (o *ownTime) marked(pid int, p procfs.Proc) bool {
	if before, looked := o.others[pid]; o.marker == "" || looked && before.Started == p.Started {
		return false
	}
	return procfs.Marked(pid, o.marker)
}

// measureFloors records the floors as they are once the target is gone.
func (x *experiment) measureFloors() {
	if x.Floors == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if floors := x.Floors(ctx); len(floors) > 0 {
		x.record(history.Event{Host: &history.Host{Pressure: -1, Floors: floors}})
	}
}
