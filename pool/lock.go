package pool

import "time"

// state is what Pool.mu guards. Whoever has one holds the lock: lock gives it, and unlock takes it back. A method of *state is called
// in a critical section, then, and cannot be called elsewhere; a method of *Pool is called outside of one, and may take the lock.
type state struct {
	*Pool
	stage   poolState
	queue   queue
	caller  *call // the one being accepted, if its caller will wait
	pacer   pacer // when calls are sent
	breaker breaker
	eff     *effects
	changed chan struct{} // closed and replaced when something that await waits for changed
	staff
	hours
	books
}

// staff is the workers, by what they are there for.
type staff struct {
	slots       []*slot
	workers     map[*worker]struct{} // whose process may be alive
	bench       []*worker            // ready hot spares
	idle        []*worker            // ready workers without a task, the last used last
	ready       int                  // workers in slots that take tasks
	busy        int                  // workers that have tasks
	slow        int                  // of these, workers that are not about to answer
	up          bool                 // New has seen every worker ready
	lacks       error                // a start's, of a resource that another try will lack too
	workerCount int
}

// hours are what the keeper goes by.
type hours struct {
	clock      patience
	alarms     alarms
	keeperNext time.Time // when it looks next
	unreadAny  bool      // some worker was unread since its last look
	answered   time.Time // when a worker last settled something
}

// books are the tasks, counted.
type books struct {
	nextID   uint64
	live     int  // accepted and not settled
	blocked  int  // submitters that wait for room in the queue
	cut      bool // Terminate ended accepted tasks
	stats    Stats
	measures *measures // nil without Config.Measure
}

// lock begins a critical section.
func (p *Pool) lock() *state {
	p.mu.Lock()
	return &p.st
}

// unlock ends a critical section and does what it left to do.
func (st *state) unlock() {
	e := st.eff
	if len(e.settled) == 0 && len(e.dirty) == 0 {
		st.mu.Unlock()
		return
	}
	for _, w := range e.dirty {
		w.dirty = false
		if o, ok := w.beginWrite(); ok {
			e.writes = append(e.writes, o)
		}
	}
	clear(e.dirty)
	e.dirty = e.dirty[:0]
	st.eff = spareEffects()
	st.mu.Unlock()

	for _, o := range e.writes {
		if o.large == nil {
			o.w.write(o)
		}
	}
	for i, c := range e.settled {
		c.announce()
		e.settled[i] = nil
	}
	for i, o := range e.writes {
		if o.large != nil { // takes long enough to let everybody else go first
			o.w.write(o)
		}
		e.writes[i] = outgoing{}
	}
	e.writes, e.settled = e.writes[:0], e.settled[:0]
	effectsPool.Put(e)
}
