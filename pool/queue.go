package pool

import "github.com/respawn-go/respawn/internal/wire"

// queue is the tasks that wait for a worker: a ring that grows, open at both ends. Tasks of dead workers go back to the
// front. A cancelled task stays for a while, marked settled; live does not count it.
type queue struct {
	ring []*call
	head int
	size int
	live int
}

func (q *queue) pushBack(c *call) {
	q.grow()
	q.ring[(q.head+q.size)&(len(q.ring)-1)] = c
	q.size++
	q.live++
	c.queue = q
}

func (q *queue) pushFront(c *call) {
	q.grow()
	q.head = (q.head - 1) & (len(q.ring) - 1)
	q.ring[q.head] = c
	q.size++
	q.live++
	c.queue = q
}

// front is the first live task without removing it; nil when there is none.
func (q *queue) front() *call {
	for q.size > 0 {
		if c := q.ring[q.head]; !c.settled {
			return c
		}
		q.drop()
	}
	return nil
}

// pop removes what front returned.
func (q *queue) pop() {
	q.ring[q.head].queue = nil
	q.drop()
	q.live--
}

func (q *queue) drop() {
	q.ring[q.head] = nil
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.size--
	q.shrink()
}

// maxIdleRing is how many places an empty queue keeps, so that a peak does not cost memory for ever.
const maxIdleRing = 1 << 12

func (q *queue) shrink() {
	if q.size == 0 && len(q.ring) > maxIdleRing {
		q.ring, q.head = nil, 0
	}
}

// maxBuried is how many cancelled tasks a queue keeps at most beyond as many as it has live ones.
const maxBuried = 16

// bury counts a task that was just settled in its place. When these outnumber the live ones they are swept out, so that
// each costs a constant time.
func (q *queue) bury() {
	q.live--
	if q.size <= 2*q.live+maxBuried {
		return
	}
	kept := 0
	for i := range q.size {
		at := (q.head + i) & (len(q.ring) - 1)
		c := q.ring[at]
		q.ring[at] = nil
		if !c.settled {
			q.ring[(q.head+kept)&(len(q.ring)-1)] = c
			kept++
		}
	}
	q.size = kept
	q.shrink()
}

func (q *queue) grow() {
	if q.size < len(q.ring) {
		return
	}
	ring := make([]*call, max(16, 2*len(q.ring)))
	for i := range q.size {
		ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
	}
	q.ring, q.head = ring, 0
}

// inflight is the tasks that are at one worker, by the number they have there. Numbers count up; the window between the
// oldest and the newest is at most wire.ClaimWords wide.
type inflight struct {
	calls []*call // by seq modulo its length, a power of two
	first uint32  // the oldest number that may be taken
	next  uint32  // the next number to give
	count int
}

// add gives the next number to c.
func (t *inflight) add(c *call) (seq uint32) {
	if t.calls == nil {
		t.calls = make([]*call, 8)
	}
	if int(t.next-t.first) == len(t.calls) {
		calls := make([]*call, 2*len(t.calls))
		for s := t.first; s != t.next; s++ {
			calls[s&uint32(len(calls)-1)] = t.calls[s&uint32(len(t.calls)-1)]
		}
		t.calls = calls
	}
	seq = t.next
	t.next++
	t.calls[seq&uint32(len(t.calls)-1)] = c
	t.count++
	return seq
}

// full tells whether another number would reuse a claim word that is still in use.
func (t *inflight) full() bool { return t.next-t.first >= wire.ClaimWords }

// get is the task with that number, nil when it is not here.
func (t *inflight) get(seq uint32) *call {
	if seq-t.first >= t.next-t.first {
		return nil
	}
	return t.calls[seq&uint32(len(t.calls)-1)]
}

// remove takes the task with that number out.
func (t *inflight) remove(seq uint32) {
	t.calls[seq&uint32(len(t.calls)-1)] = nil
	t.count--
	for t.first != t.next && t.calls[t.first&uint32(len(t.calls)-1)] == nil {
		t.first++
	}
}

// newestFirst calls fn for every task, in the order that puts the oldest first when fn pushes to a queue's front.
func (t *inflight) newestFirst(fn func(seq uint32, c *call)) {
	first := t.first // fn may move it
	for n := t.next - t.first; n > 0; n-- {
		s := first + n - 1
		if c := t.get(s); c != nil {
			fn(s, c)
		}
	}
}

// oldest is the first number taken and its task; nil when nothing is here.
func (t *inflight) oldest() (seq uint32, c *call) {
	return t.first, t.get(t.first)
}
