package chaos

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// A look at every process of the host is made more rarely than one at the members.
const fullLookEvery = time.Second

// snapshot is procfs.Snapshot, but for tests, which set blinded.
func snapshot() (procfs.Table, error) {
	if err := blinded.Load(); err != nil {
		return nil, *err
	}
	return procfs.Snapshot()
}

// blinded is the error of every snapshot while it is set.
var blinded atomic.Pointer[error]

// sampler looks at the target from outside.
type sampler struct {
	x       *experiment
	parent  int // the process that the members descend from
	oom     oomWatch
	mu      sync.Mutex
	table   procfs.Table
	cgroups int           // that the parent and the harness made
	others  int           // processes of the target that were no member\'s before the first fault
	born    time.Duration // of the oldest member seen, since boot; 0: none was
	fullAt  time.Time
}

func (x *experiment) newSampler() *sampler {
	s := &sampler{x: x, parent: os.Getpid()}
	if t, ok := x.Target.(Supervised); ok {
		s.parent = t.Supervisor()
	}
	members, _ := x.Target.Members(context.Background())
	s.oom.begin(s.parent, members)
	return s
}

// sample looks again and again until stop is called. A look never takes more than a tenth of the time.
func (x *experiment) sample(ctx context.Context) (stop func()) {
	x.sampler = x.newSampler()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			began := time.Now()
			x.takeSample(ctx)
			took := time.Since(began)
			if wait.For(ctx, max(x.Sample-took, 10*took)) != nil {
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// takeSample records one sample. Stages that must not pass unseen end with one, for on a loaded host the next may be
// long in coming.
func (x *experiment) takeSample(ctx context.Context) {
	x.sampler.mu.Lock()
	defer x.sampler.mu.Unlock()
	m, _ := x.sampler.sample(ctx, false) // the last look decides what is left
	if ctx.Err() == nil {                // else nobody may have been listed for that
		x.record(history.Event{Sample: &m})
	}
}

// sampleBefore records what there is before the first fault.
func (x *experiment) sampleBefore(ctx context.Context) {
	x.sampler.mu.Lock()
	defer x.sampler.mu.Unlock()
	m, _ := x.sampler.sample(ctx, true)
	x.sampler.others = m.Others
	x.record(history.Event{Sample: &m})
}

// lastSample records what there is once nothing changes any more: what dies is given a second to be gone, and what
// replaces it to be ready. A member that has just been recycled is no reason to say that the target is not steady. So
// many orphans as were ended already count as there. Where members are missing then, the processes that are nobody's
// are counted once these are ready, or after that patience: on a busy host one that boots takes longer, and has not
// been left behind.
func (x *experiment) lastSample(ended int, patience time.Duration) {
	for deadline, looks := time.Now().Add(time.Second), 1; ; looks++ {
		m, err := x.sampler.sample(context.Background(), true)
		calm := err == nil && m.Zombies+m.Orphans == 0 && m.Others <= x.sampler.others && m.Ready >= m.Want &&
			(m.Want > 0 || m.Cgroups == 0)
		if calm || looks >= fewestLooks && time.Now().After(deadline) {
			m.Orphans, m.Left = m.Orphans+ended, ended
			if err == nil && m.Ready < m.Want {
				m.Others = x.othersOnceWhole(m.Others, patience)
			}
			if err != nil {
				x.fail(fmt.Errorf("look for what the target left: %w", err))
			} else {
				x.record(history.Event{Sample: &m})
			}
			return
		}
		_ = wait.For(context.Background(), 10*time.Millisecond)
	}
}

// fewestLooks is how often there is a last look at least: on a busy host one may take a second.
const fewestLooks = 3

// othersOnceWhole is how many processes of the target are no member's when no member is missing any more; so many if
// that does not come to be within patience.
func (x *experiment) othersOnceWhole(now int, patience time.Duration) int {
	for began := time.Now(); now > x.sampler.others && time.Since(began) < patience; _ = wait.For(context.Background(),
		10*time.Millisecond) {
		if m, err := x.sampler.sample(context.Background(), true); err == nil && m.Ready >= m.Want {
			return m.Others
		}
	}
	return now
}

// sample makes one sample; full also looks at every process of the host. The error says why that could not be: zombies
// and orphans are those of the look before then.
func (s *sampler) sample(ctx context.Context, full bool) (m history.Sample, err error) {
	members, _ := s.x.Target.Members(ctx) // a target that is gone lists none; what it left is looked for all the same
	m = history.Sample{Want: s.x.Target.Want(), HostOOM: s.oom.kills(s.x)}
	if s.parent == os.Getpid() {
		m.Goroutines = runtime.NumGoroutine() // of others nobody knows
	}
	for _, member := range members {
		switch member.State {
		case Ready:
			m.Ready++
		case Starting:
			m.Starting++
		}
		if p, err := procfs.Read(member.PID); err == nil && p.Alive() {
			m.Alive++
			m.RSS += p.RSS
			m.CPU += p.CPU
			if s.born == 0 || p.Started < s.born {
				s.born = p.Started
			}
		}
	}
	if t, ok := s.x.Target.(Listed); ok {
		for _, l := range t.Listings() {
			m.Listings = append(m.Listings,
				history.Listing{Asked: s.x.clock.since(l.Asked), Answered: s.x.clock.since(l.Answered)})
		}
	}
	if p, err := procfs.Read(s.parent); err == nil {
		m.ParentRSS = p.RSS
	}
	m.FDs, _ = procfs.Files(s.parent)
	if full || time.Since(s.fullAt) >= fullLookEvery {
		s.fullAt = time.Now()
		var table procfs.Table
		if table, err = snapshot(); err == nil {
			s.table = table
		}
		s.oom.follow(s.parent)
		s.cgroups = len(cgroup.Owned(s.parent))
		if s.parent != os.Getpid() {
			s.cgroups += len(cgroup.Owned(os.Getpid()))
		}
	}
	if full { // a process that was started since they were listed is in the table, and may be a member
		again, _ := s.x.Target.Members(ctx)
		members = append(slices.Clip(members), again...)
	}
	m.Zombies, m.Orphans, m.Others = s.census(members)
	m.Cgroups = s.cgroups
	return m, err
}

// inherited tells of a child of this process that was there before the target: as process 1, or as a subreaper, it is
// handed what others leave.
func (s *sampler) inherited(p procfs.Proc) bool {
	return s.parent == os.Getpid() && p.Started < s.born
}

// census counts the target's zombies; its orphans, which are processes that carry its marker and descend neither from
// its parent nor from a member; and its others, which descend from no member, whoever may have adopted them. Once the
// parent is dead, members are orphans themselves.
func (s *sampler) census(members []Member) (zombies, orphans, others int) {
	pids, memberPIDs := map[int]bool{s.parent: true}, map[int]bool{}
	if p, err := procfs.Read(s.parent); err == nil && p.Alive() {
		for _, m := range members {
			pids[m.PID], memberPIDs[m.PID] = true, true
		}
	}
	family, member := func(pid int) bool { return pids[pid] }, func(pid int) bool { return memberPIDs[pid] }
	target, isMarked := s.x.Target.(Marked)
	carries := func(pid int) bool { return isMarked && procfs.Marked(pid, MarkerEntry(target.Marker())) }
	for pid, p := range s.table {
		switch {
		case pid == s.parent:
		case p.State == 'Z':
			if s.table.Has(pid, family) && !s.inherited(p) {
				zombies++
			}
		case !p.Alive() || s.table.Has(pid, member):
		case !s.table.Has(pid, family):
			if carries(pid) {
				orphans++
				others++
			}
		case s.parent != os.Getpid() || carries(pid): // what this process has started may be its own
			others++
		}
	}
	return zombies, orphans, others
}
