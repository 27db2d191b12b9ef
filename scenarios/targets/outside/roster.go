package outside

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// rosterEvery is how often the workers of a pool that tells no events are listed. A death is noticed at once all the
// same, by a pidfd.
const rosterEvery = 20 * time.Millisecond

// roster derives slots, generations and life events from listings of pids, for pools that tell nothing else. A process
// gets the slot that has been empty for longest and keeps it until it ends or is no longer listed. Safe for concurrent
// use.
type roster struct {
	list  func(context.Context) ([]int, error) // the living workers
	owns  func(pid int) bool                   // whether a process is the pool's
	place func(pid int) (Place, bool)          // where a worker is, and what; nil: nobody tells
	wake  chan struct{}
	died  chan *worker
	seen  chan listing
	stop  context.CancelFunc
	done  sync.WaitGroup
	// least is how many members there are to be of a target that itself changes their number; else 0. Those beyond that
	// take the places of those that end.
	least int

	mu       sync.Mutex
	slots    []slot
	leaving  []*worker // alive, but not listed any more
	watchers map[int]func(history.MemberEvent)
	watched  int // watchers so far
	listings []history.Listing

	forks   follower     // tells of those that no listing names; nil: nobody does
	parents map[int]bool // of the workers that were ever listed
	known   map[int]bool // these
}

// maxSlots bounds the numbers that a lister may give to slots.
const maxSlots = 1 << 10

// follower tells which descendants of the pool's process have ended since it was asked last.
type follower func() []forks.Life

// listing is what a look at the workers gave.
type listing struct {
	history.Listing
	pids []int
}

// keptListings bounds what is kept of when the workers were listed.
const keptListings = 64

// slot is a place in the pool. worker is nil while it is empty.
type slot struct {
	worker     *worker
	generation int
	emptySince time.Time
}

// worker is one process of the pool, held by a pidfd since it was first listed.
type worker struct {
	slot, generation, pid int
	started               time.Time
	held                  *foreign.Held
	role, name            string
	ended                 time.Time
	exit                  *history.Exit // nil: nobody saw
}

// reapedWithin is how long its parent is waited for to reap a process, so that it is told how that ended.
const reapedWithin = 200 * time.Millisecond

// conclude sees how the process ended, which the kernel tells once it has been reaped.
func (w *worker) conclude(ctx context.Context) {
	w.ended = time.Now()
	for {
		_, err := procfs.Read(w.pid)
		if status, ok := w.held.Status(); ok {
			w.exit = &history.Exit{Code: status.ExitStatus()}
			if status.Signaled() {
				w.exit = &history.Exit{Code: -1, Signal: unix.SignalName(status.Signal())}
			}
			return
		}
		if err != nil || time.Since(w.ended) > reapedWithin || wait.For(ctx, time.Millisecond) != nil {
			return
		}
	}
}

// newRoster starts to watch the workers, whose first listing is given. ranged tells that size is only the fewest. Close
// it.
func newRoster(size int, ranged bool, first []int, p Lister, ended follower) *roster {
	ctx, stop := context.WithCancel(context.Background())
	r := &roster{
		list: p.Workers, owns: p.Owns, stop: stop, wake: make(chan struct{}, 1), died: make(chan *worker),
		seen: make(chan listing), slots: make([]slot, size), watchers: map[int]func(history.MemberEvent){},
		forks: ended, parents: map[int]bool{}, known: map[int]bool{},
	}
	if ranged {
		r.least = size
	}
	if p, ok := p.(Placer); ok {
		r.place = p.Place
	}
	r.update(ctx, first)
	r.done.Go(func() { r.look(ctx) })
	r.done.Go(func() { r.follow(ctx) })
	return r
}

func (r *roster) close() {
	r.stop()
	r.done.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.all() {
		w.held.Release()
	}
	r.slots, r.leaving = nil, nil
}

// all is every worker that is held.
func (r *roster) all() []*worker {
	list := slices.Clone(r.leaving)
	for _, s := range r.slots {
		if s.worker != nil {
			list = append(list, s.worker)
		}
	}
	return list
}

// look lists the workers again and again. A listing that cannot be had changes nothing.
func (r *roster) look(ctx context.Context) {
	tick := time.NewTicker(rosterEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.wake:
		}
		asked := chaos.Monotonic(time.Now())
		pids, err := r.list(ctx)
		if err != nil {
			continue
		}
		select {
		case r.seen <- listing{history.Listing{Asked: asked, Answered: chaos.Monotonic(time.Now())}, pids}:
		case <-ctx.Done():
		}
	}
}

// lookNow makes the next listing come at once: something points to a worker that is not known yet.
func (r *roster) lookNow() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// follow is the goroutine that changes the roster and tells the events, so that they come in order.
func (r *roster) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-r.died:
			r.bury(w)
			r.lookNow()
		case l := <-r.seen:
			r.update(ctx, l.pids)
			r.mu.Lock()
			r.listings = append(r.listings[max(0, len(r.listings)+1-keptListings):], l.Listing)
			r.tellUnlisted()
			r.mu.Unlock()
		}
	}
}

// tellUnlisted tells of the siblings of workers that a signal ended before any listing named them; mu is held. Others
// may be helpers that have done their work, or could not.
func (r *roster) tellUnlisted() {
	if r.forks == nil {
		return
	}
	for _, l := range r.forks() {
		if r.known[l.PID] || !r.parents[l.Parent] || !l.Status.Signaled() {
			continue
		}
		exit := &history.Exit{Code: -1, Signal: unix.SignalName(l.Status.Signal())}
		r.send(history.MemberEvent{Op: history.Unlisted, Slot: -1, PID: l.PID, Exit: exit, At: l.Ended})
	}
}

// Listings implements chaos.Listed.
func (r *roster) Listings() []history.Listing {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.listings
	r.listings = nil
	return taken
}

// bury notes the end of a worker.
func (r *roster) bury(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = slices.DeleteFunc(r.leaving, func(o *worker) bool { return o == w })
	if s := &r.slots[w.slot]; s.worker == w {
		s.worker, s.emptySince = nil, time.Now()
	}
	w.held.Release()
	r.send(history.MemberEvent{
		Op: history.Exited, Slot: w.slot, Gen: w.generation, PID: w.pid, Name: w.name, Exit: w.exit,
		At: chaos.Monotonic(w.ended),
	})
	r.moveUp()
}

// moveUp gives the places of those that are missing to members beyond the fewest, where there are such; mu is held.
func (r *roster) moveUp() {
	from := len(r.slots) - 1
	for to := range r.least {
		if r.slots[to].worker != nil {
			continue
		}
		for from >= r.least && (r.slots[from].worker == nil || r.slots[from].worker.held.Gone()) {
			from--
		}
		if from < r.least {
			return
		}
		w := r.slots[from].worker
		r.tell(w, history.Retiring)
		r.slots[from].worker, r.slots[from].emptySince = nil, time.Now()
		r.slots[to].generation++
		w.slot, w.generation = to, r.slots[to].generation
		r.slots[to].worker = w
		r.tell(w, history.Ready)
	}
}

// update compares a listing with what is known.
func (r *roster) update(ctx context.Context, pids []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.slots {
		s := &r.slots[i]
		if s.worker == nil || s.worker.held.Gone() || slices.Contains(pids, s.worker.pid) {
			continue
		}
		r.tell(s.worker, history.Retiring)
		r.leaving = append(r.leaving, s.worker)
		s.worker, s.emptySince = nil, time.Now()
	}
	for _, pid := range pids {
		is := func(w *worker) bool { return w.pid == pid && !w.held.Gone() }
		if i := slices.IndexFunc(r.leaving, is); i >= 0 {
			r.seatAgain(i)
		} else if !slices.ContainsFunc(r.slots, func(s slot) bool { return s.worker != nil && is(s.worker) }) {
			r.seat(ctx, pid)
		}
	}
	r.moveUp()
}

// free is where a worker gets its slot. One for which there is no room yet, since the death of its predecessor has not
// been noticed, is left to the next listing; a pool that is really larger than it should be gets more slots.
func (r *roster) free() (free int, ok bool) {
	free = -1
	for i, s := range r.slots {
		if s.worker != nil && s.worker.held.Gone() {
			return 0, false
		}
		if s.worker == nil &&
			(free < 0 || i < r.least == (free < r.least) && s.emptySince.Before(r.slots[free].emptySince)) {
			free = i // of those of the fewest first, which come first
		}
	}
	if free < 0 {
		free = len(r.slots)
		r.slots = append(r.slots, slot{})
	}
	return free, true
}

// vacant tells whether nobody is in a slot, which is made if there is none of that number.
func (r *roster) vacant(at int) bool {
	if at < 0 || at >= maxSlots {
		return false
	}
	for len(r.slots) <= at {
		r.slots = append(r.slots, slot{})
	}
	return r.slots[at].worker == nil
}

// seatAgain gives a leaving worker that is listed again its slot back, or another place if somebody had that meanwhile.
func (r *roster) seatAgain(i int) {
	w := r.leaving[i]
	if r.slots[w.slot].generation != w.generation {
		free, ok := r.free()
		if !ok {
			return
		}
		w.slot = free
		r.slots[free].generation++
		w.generation = r.slots[free].generation
	}
	r.slots[w.slot].worker = w
	r.leaving = slices.Delete(r.leaving, i, i+1)
	r.tell(w, history.Ready)
}

// seat gives a new worker its slot.
func (r *roster) seat(ctx context.Context, pid int) {
	held, err := foreign.Hold(pid)
	if err != nil {
		return // gone again
	}
	free, ok := 0, r.owns(pid) // or it is another process by now
	var place Place
	switch {
	case !ok:
	case r.place != nil:
		if place, ok = r.place(pid); ok {
			free, ok = place.Slot, r.vacant(place.Slot)
		}
	default:
		free, ok = r.free()
	}
	if !ok {
		held.Release()
		return
	}
	r.known[pid] = true
	if p, err := procfs.Read(pid); err == nil {
		r.parents[p.PPID] = true
	}
	s := &r.slots[free]
	s.generation++
	w := &worker{
		slot: free, generation: s.generation, pid: pid, started: time.Now(), held: held, role: place.Role,
		name: place.Name,
	}
	s.worker = w
	r.tell(w, history.Started)
	r.tell(w, history.Ready)
	r.done.Go(func() {
		select {
		case <-held.Exited():
			if w.ended = time.Now(); r.least > 0 {
				w.conclude(ctx)
			}
			select {
			case r.died <- w:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	})
}

// tell sends an event to everybody who watches; mu is held.
func (r *roster) tell(w *worker, op history.MemberOp) {
	r.send(history.MemberEvent{Op: op, Slot: w.slot, Gen: w.generation, PID: w.pid, Name: w.name})
}

func (r *roster) send(m history.MemberEvent) {
	if m.At == 0 {
		m.At = chaos.Monotonic(time.Now())
	}
	for _, fn := range r.watchers {
		fn(m)
	}
}

// Announce tells an event that is about no slot.
func (r *roster) Announce(m history.MemberEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Slot = -1
	r.send(m)
}

// Watch implements chaos.Target.
func (r *roster) Watch(fn func(history.MemberEvent)) (stop func() uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched++
	id := r.watched
	r.watchers[id] = fn
	return func() uint64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, id)
		return 0
	}
}

// members lists the workers that are alive and listed. phase tells what a process does.
func (r *roster) members(phase func(pid int) string) (list []chaos.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.slots {
		if w := s.worker; w != nil && !w.held.Gone() {
			m := chaos.Member{
				Slot: w.slot, Generation: w.generation, PID: w.pid, Started: w.started, State: chaos.Ready,
				Name: w.name, Role: w.role,
			}
			if chaos.RunsTasks(m.Role) {
				m.Phase = phase(w.pid)
			}
			if r.place != nil {
				if p, ok := r.place(w.pid); ok && p.Phase != "" {
					m.Phase = p.Phase
				}
			}
			list = append(list, m)
		}
	}
	return list
}

// occupant is the pid of the living worker in the slot; 0 without one.
func (r *roster) occupant(slot int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slot < 0 || slot >= len(r.slots) {
		return 0
	}
	w := r.slots[slot].worker
	if w == nil || w.held.Gone() {
		return 0
	}
	if p, err := procfs.Read(w.pid); err != nil || !p.Alive() { // its pidfd's word is on its way
		return 0
	}
	return w.pid
}

// living counts the members that are alive and listed and run tasks.
func (r *roster) living() (n int) {
	for _, m := range r.members(func(int) string { return "" }) {
		if chaos.RunsTasks(m.Role) {
			n++
		}
	}
	return n
}

// Knows tells whether pid is a living worker in a slot.
func (r *roster) Knows(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.slots,
		func(s slot) bool { return s.worker != nil && s.worker.pid == pid && !s.worker.held.Gone() })
}

// Ended tells whether pid was a worker once, and has ended.
func (r *roster) Ended(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[pid] && !slices.ContainsFunc(r.all(), func(w *worker) bool { return w.pid == pid && !w.held.Gone() })
}
