package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// limits are the times that a judge and the hands that it deals with keep. withDefaults sets what is zero.
type limits struct {
	Ping        time.Duration // between two pings of a node; default 300 ms
	NodeTimeout time.Duration // silence after which a node is gone; default 10 s, at least 6 pings
	AckWait     time.Duration // after which the broker delivers again what was not acknowledged; default 30 s
	Repair      time.Duration // between two looks at what nobody has; default 5 s
	// for which nodes of another program may be replaced, until a task is unknown; default 30 s
	Unknown time.Duration
	NoNodes time.Duration // for which tasks wait without any node; 0: for ever
	Budget  int           // ends of node processes that one task may be blamed for; default 5
}

func (l limits) withDefaults() limits {
	l.Ping = cmp.Or(l.Ping, 300*time.Millisecond)
	l.NodeTimeout = max(cmp.Or(l.NodeTimeout, 10*time.Second), 6*l.Ping)
	l.AckWait = cmp.Or(l.AckWait, 30*time.Second)
	l.Unknown = cmp.Or(l.Unknown, 30*time.Second)
	l.Repair = cmp.Or(l.Repair, 5*time.Second)
	l.Budget = cmp.Or(l.Budget, 5)
	return l
}

const (
	refusalGap   = 150 * time.Millisecond // between two refusals that count as two
	refusalAlone = 2 * time.Second        // of refusals that nothing else confirms
	ownDelay     = 500 * time.Millisecond // of a tick, after which this process was held up
	sweepEvery   = 100 * time.Millisecond // between two looks at all tasks
	blindness    = 2 * time.Second        // for which an owner that was cut off, or late itself, judges nobody
	noteGrace    = time.Second            // after a later task was noted, until a task that was not is missed
	wordGrace    = 2 * time.Second        // for the word of whoever had a task before somebody asked for it
	// after a node was lost: what it had been handed last, and not told of, is looked for
	hurry        = 2 * time.Second
	hurryLook    = 250 * time.Millisecond // between two looks then
	repairBatch  = 64                     // tasks that one look asks the broker about
	publishRetry = time.Second            // until a publish that was not confirmed is repeated
	returnDelay  = 200 * time.Millisecond // until a returned task is published again; doubles up to maxReturn
	maxReturn    = 10 * time.Second
	returnFew    = time.Second // in place of maxReturn, while some node may know a task that others do not
	suspectDelay = time.Second // until a blamed task runs again; doubles
)

// judge decides for one owner what becomes of its tasks. It knows neither clock nor network: each method is told the
// time, which counts from anything and never goes back, and leaves what is to be done in effects, in order. It is not
// safe for concurrent use.
type judge struct {
	limits
	owner string
	mutant

	now     time.Duration
	epoch   string // of the stream
	tasks   map[uint64]*task
	order   []*task // by number; settled ones are swept out
	nodes   map[string]*node
	effects []effect
	taken   []effect // what take has given last, to be filled anew

	looked   time.Duration // when tick was last called
	swept    time.Duration // when all tasks were last looked at
	blindTil time.Duration
	offline  bool
	noted    uint64        // the highest sequence that any node has told of
	notedAt  time.Duration // when it was first that high
	highest  uint64        // the highest sequence that was confirmed
	repaired time.Duration
	lostAt   time.Duration // when a node was lost last; 0: never
	served   time.Duration // when a node was last there
	cursor   uint64        // the last task that repair has asked about
	stats    Stats
	answered [1 << 10]answered // the results that came last, by the task's number
	anew     bool              // the stream may have forgotten: repair asks about all, one batch after the other
}

// task is one that has not settled.
type task struct {
	no       uint64
	delivery pool.Delivery
	born     time.Duration // when it was submitted
	try      int
	epoch    string        // of the stream that its newest publish was for: no other has it
	seq      uint64        // of the newest publish; 0: not confirmed
	sent     time.Duration // when that was published
	due      time.Duration // when it is to be published again; 0: it is out
	started  bool          // it may have started somewhere
	told     bool          // some node has told of it since it was published
	asked    time.Duration // when one asked for it that was not the first to have it, while nobody had told
	notYet   time.Duration // until when one that was blamed does not run
	returns  int
	misfit   misfit        // why it came back last
	unfit    []string      // the programs whose nodes will not run it
	hopeless time.Duration // since when nobody has been there who may; 0: somebody is, or it is not known to need one
	holds    []*hold
	grant    *hold // at most once: who may start it, for ever
	blamed   int   // ends of node processes that are charged to it
	budget   int   // and how many of them settle it; 0: as the judge has it
	losses   int   // these, and nodes that fell silent with it
	exits    []pool.Exit
	missing  time.Duration // since when it has been stored, and in nobody's hand; 0: not known to be
	settled  bool
}

// hold is a task in a node's hand, as far as its owner knows.
type hold struct {
	node     *node
	ack      string
	since    time.Duration // when the node last told of it
	question uint64
	state    stateAtNode
	allowed  bool // it may have started
	alone    bool // and if so with nothing beside it
	counted  bool // among the task's losses
}

// node is a process that has told of itself.
type node struct {
	id, name, host string
	workers        int
	heard          time.Duration // when it last told anything
	refusals       int
	refused        time.Duration // when the last of them was
	refusedFrom    time.Duration // when the first of them was
	confirmed      time.Duration // when the last of them was that its own broker confirmed
	broker         string        // where it is connected
	program        string        // nodes of equal ones know the same tasks; "" until it has said hello
	listed         int           // tasks that it had when it was pinged last
	pid, size      int           // its process, and its workers' number
	pinged         time.Duration
	ponged         time.Duration // when the newest ping was sent that it has answered
	state          nodeState
	blamed         *task // the one blamed task that it may run now
}

// answered is a result that was taken, or refused. The same one comes again as long as its node has not heard that.
type answered struct {
	no   uint64
	node *node
	run  uint64
}

type nodeState uint8

const (
	alive   nodeState = iota
	suspect           // its tasks may run elsewhere too; nobody is blamed
	gone              // silent for NodeTimeout: what ran there at most once is lost
	ended             // its process is proven dead
)

type effectKind uint8

const (
	// Task, Try, Epoch, Ask: store it again, in the stream of that epoch or not at all
	effectPublish effectKind = iota + 1
	effectSend               // Node, Order
	effectPing               // Node, Order: a pong or refused answers it
	effectNak                // Ack: have the broker deliver it again, after Delay
	effectNakSeq             // Seq: the same, for a delivery that nobody has told of
	effectGet                // Task, Try, Seq: stored answers what the broker has there
	effectDelete             // Seq: take it out of the stream
	effectSettle             // Task, Outcome
)

// effect is one thing that the judge wants done.
type effect struct {
	Kind    effectKind
	Task    uint64
	Try     int
	Epoch   string
	Ask     bool
	Node    string
	Order   order
	Ack     string
	Seq     uint64
	Delay   time.Duration
	Outcome *pool.Reply
}

func newJudge(owner string, l limits, m mutant) *judge {
	return &judge{
		limits: l.withDefaults(), owner: owner, mutant: m, tasks: make(map[uint64]*task), nodes: make(map[string]*node),
	}
}

func (j *judge) do(e effect) { j.effects = append(j.effects, e) }

// tell answers a report of a task.
func (j *judge) tell(n *node, kind orderKind, it item) {
	j.do(effect{
		Kind: effectSend, Node: n.id,
		Order: order{Owner: j.owner, Kind: kind, No: it.No, Seq: it.Seq, Question: it.Question},
	})
}

// take gives what is to be done since the last call. It is the caller's until the next.
func (j *judge) take() []effect {
	j.effects, j.taken = again(j.taken), j.effects
	return j.taken
}

// again empties a list for its next use, unless it was so long that it is better not kept.
func again[T any](list []T) []T {
	const most = 4096
	if cap(list) > most {
		return nil
	}
	clear(list)
	return list[:0]
}

// submit accepts a task. Numbers count up.
func (j *judge) submit(now time.Duration, no uint64, delivery pool.Delivery) {
	j.now = now
	t := &task{no: no, delivery: delivery, born: now}
	j.tasks[no] = t
	j.order = append(j.order, t)
	j.publish(t)
}

// publish stores t anew. From the second time on nodes ask before they run it.
func (j *judge) publish(t *task) {
	t.try++
	t.epoch, t.seq, t.sent, t.due, t.missing, t.told, t.asked = j.epoch, 0, j.now, 0, 0, false, 0
	j.do(effect{Kind: effectPublish, Task: t.no, Try: t.try, Epoch: t.epoch, Ask: t.try > 1 && j.mutant != mutantNoAsk})
}

// publishing is what was to be stored.
type publishing struct {
	no    uint64
	try   int
	epoch string
}

// published tells that the broker has stored that as seq, or (seq 0) that it may not have.
func (j *judge) published(now time.Duration, p publishing, seq uint64) {
	j.now = now
	t := j.tasks[p.no]
	switch {
	case seq > 0 && p.epoch != j.epoch: // it is gone with its stream
	case t == nil && seq > 0:
		j.do(effect{Kind: effectDelete, Seq: seq}) // it settled meanwhile
	case t == nil || p.try != t.try:
	case seq > 0:
		t.seq = seq
		if seq < j.highest { // counts from anew: the stream is another one, or is older than it was
			j.noted, j.anew = 0, true
		}
		j.highest = seq
	case j.mutant != mutantBelievesRefusal:
		t.due = now + publishRetry
	}
}

// stored answers effectGet: whether the broker has that try of the task there, and has handed it out.
func (j *judge) stored(now time.Duration, no, seq uint64, there, delivered bool) {
	j.now = now
	t := j.tasks[no]
	if t == nil || t.seq != seq || len(t.holds) > 0 {
		return
	}
	switch {
	case !there:
		j.stats.Repaired++
		j.publish(t) // for a task at most once, too: it was never granted, or it would be held
	case !delivered:
	case t.missing == 0:
		if t.missing = now; j.hurries() && j.mutant != mutantNakOnlyNoted {
			j.do(effect{Kind: effectNakSeq, Seq: seq})
		}
	case now-t.missing > j.AckWait+5*time.Second: // delivered, perhaps, to nobody who tells
		j.do(effect{Kind: effectNakSeq, Seq: seq})
		j.do(effect{Kind: effectDelete, Seq: seq})
		j.stats.Repaired++
		j.publish(t)
	case now-t.missing > wordGrace && j.mutant != mutantNakOnlyNoted: // whoever has it has had time to say so
		j.do(effect{Kind: effectNakSeq, Seq: seq})
	}
}

// stream tells of which epoch the stream is. If it is another one than before, what was stored is gone with the old
// one, and is stored again unless somebody has it.
func (j *judge) stream(now time.Duration, epoch string) {
	j.now = now
	if epoch == j.epoch {
		return
	}
	j.epoch, j.noted, j.highest = epoch, 0, 0
	if j.mutant == mutantNoRepair || j.mutant == mutantRepairsByFloor {
		return
	}
	for _, t := range j.order {
		if !t.settled && t.due == 0 && len(t.holds) == 0 {
			j.stats.Repaired++
			j.publish(t)
		}
	}
}

// cancel settles a task with its submitter's error.
func (j *judge) cancel(now time.Duration, no uint64, err error) {
	j.now = now
	if t := j.tasks[no]; t != nil {
		if len(t.holds) == 0 && t.seq > 0 && t.epoch == j.epoch { // in another stream that number is somebody else's
			j.do(effect{Kind: effectDelete, Seq: t.seq})
		}
		j.settle(t, &pool.Reply{Err: err})
	}
}

// settle ends a task: once, since it is forgotten with that. Whoever has it still is told to drop it.
func (j *judge) settle(t *task, outcome *pool.Reply) {
	t.settled = true
	delete(j.tasks, t.no)
	for _, h := range t.holds {
		if h.state != done {
			j.tell(h.node, orderDrop, item{No: t.no})
		}
		h.release(t)
	}
	outcome.Exits = append(slices.Clone(t.exits), outcome.Exits...)
	j.do(effect{Kind: effectSettle, Task: t.no, Outcome: outcome})
}

// hear takes a node's report.
func (j *judge) hear(now time.Duration, r report) {
	j.now = now
	if r.Kind == reportHello {
		j.hello(r)
		return
	}
	n := j.known(r.Node)
	j.alive(n)
	switch r.Kind {
	case reportBye:
		delete(j.nodes, n.id)
	case reportPong:
		j.compare(n, r.Items, time.Duration(r.Ping))
	case reportHand:
		for _, it := range r.Items {
			j.note(n, it)
		}
	case reportResult:
		j.result(n, r.Items[0], r.Run, r.Outcome)
	case reportReturn:
		j.returned(n, r.Items[0], r.Misfit)
	}
}

// known is the node of that identity, which is made when it is first heard of.
func (j *judge) known(id string) *node {
	n := j.nodes[id]
	if n == nil {
		n = &node{id: id, pinged: j.now}
		j.nodes[id] = n
	}
	return n
}

// alive says that a node has been heard. One that was gone may come back; one whose process has ended only seems to.
func (j *judge) alive(n *node) {
	n.heard, n.refusals = j.now, 0
	if n.state == suspect { // it was not lost, after all
		for _, t := range j.order {
			if h := t.at(n); h != nil && h.counted {
				h.counted = false
				t.losses--
			}
		}
	}
	if n.state != ended {
		n.state = alive
	}
}

// hello is a new process. An older one of the same name on the same host has ended.
func (j *judge) hello(r report) {
	n := j.known(r.Node)
	n.name, n.host, n.workers, n.broker, n.pid, n.size = r.Name, r.Host, r.Workers, r.Broker, r.PID, r.Size
	j.alive(n)
	if n.program != r.Program {
		n.program = r.Program
		j.offer(n)
	}
	for _, old := range j.nodes {
		if old != n && old.name == n.name && old.host == n.host && old.state != ended && old.heard <= n.heard {
			j.end(old)
		}
	}
}

// note is a task that a node says it has.
func (j *judge) note(n *node, it item) {
	t := j.tasks[it.No]
	if t == nil {
		j.tell(n, orderDrop, it)
		return
	}
	if it.Seq > j.noted && t.epoch == j.epoch {
		j.noted, j.notedAt = it.Seq, j.now
	}
	if n.state == ended { // its last words
		j.do(effect{Kind: effectNak, Ack: it.Ack})
		return
	}
	t.missing = 0
	h := t.at(n)
	switch {
	case t.grant != nil && t.grant.node != n && j.mutant != mutantGrantTwice,
		(h == nil || it.State == asking && t.grant == nil) && t.heldElsewhere(n) && j.mutant != mutantGrantTwice &&
			j.mutant != mutantNoAsk:
		if h != nil { // it was in trouble, and another has the task since
			t.drop(h)
		}
		j.tell(n, orderLeave, it)
		return
	case h == nil && it.State == asking && t.delivery == pool.AtLeastOnce && j.mayBeTold(t, n, it):
		return // it asks again
	case h == nil:
		h = &hold{node: n}
		t.holds = append(t.holds, h)
	}
	h.ack, h.since, t.told = it.Ack, j.now, true
	if it.State != asking {
		h.state, h.allowed, t.started = it.State, true, true
		return
	}
	h.state = asking // if it was allowed a run by an older question, that has not begun, and will not
	if !j.mayRun(t, h) {
		t.drop(h)
		j.tell(n, orderLeave, it)
		j.do(effect{Kind: effectNak, Ack: it.Ack, Delay: max(t.notYet-j.now, suspectDelay)})
		return
	}
	h.question, h.allowed, h.alone, t.started = it.Question, !t.quarantined(), t.quarantined(), true
	if t.delivery == pool.AtMostOnce {
		t.grant = h
	}
	run := order{Owner: j.owner, Kind: orderRun, No: it.No, Seq: it.Seq, Question: it.Question, Alone: t.quarantined()}
	j.do(effect{Kind: effectSend, Node: n.id, Order: run})
}

// mayBeTold tells whether the word of whoever has a task that n asks for may still be on its way: one that was
// delivered before, or at a time of which this owner may have missed something. Who has answered a ping since then has
// told all that it has.
func (j *judge) mayBeTold(t *task, n *node, it item) bool {
	if j.blind() && t.born < j.blindTil-blindness {
		return true
	}
	if t.told || it.Count <= 1 {
		return false
	}
	if t.asked == 0 {
		t.asked = j.now
	}
	if j.now-t.asked >= wordGrace {
		return false
	}
	for _, o := range j.nodes {
		if o != n && o.state == alive && o.ponged <= t.asked {
			return true
		}
	}
	return false
}

// quarantined tells whether a task runs alone: two nodes were lost with it. The first time says little, since many
// tasks are lost with a node, and all of them are to run elsewhere at once.
func (t *task) quarantined() bool { return t.losses >= 2 }

// mayRun tells whether a task may be run by a node now. One that is quarantined waits, is the only such one at a node,
// and runs with nothing beside it: when that node ends, too, it is known who it was.
func (j *judge) mayRun(t *task, h *hold) bool {
	n := h.node
	switch {
	case !t.quarantined() || n.blamed == t:
		return true
	case j.now < t.notYet || n.blamed != nil:
		return false
	}
	n.blamed = t
	return true
}

// release gives the node's place for a blamed task back.
func (h *hold) release(t *task) {
	if h.node.blamed == t {
		h.node.blamed = nil
	}
}

// at is the hold that n has of t.
func (t *task) at(n *node) *hold {
	for _, h := range t.holds {
		if h.node == n {
			return h
		}
	}
	return nil
}

// heldElsewhere tells whether another node has t that is not known to be in trouble.
func (t *task) heldElsewhere(n *node) bool {
	return slices.ContainsFunc(t.holds, func(h *hold) bool { return h.node != n && h.node.state == alive })
}

func (t *task) drop(h *hold) {
	h.release(t)
	t.holds = slices.DeleteFunc(t.holds, func(o *hold) bool { return o == h })
}

// result settles a task, if it is the first.
func (j *judge) result(n *node, it item, run uint64, outcome *pool.Reply) {
	t := j.tasks[it.No]
	switch last := &j.answered[it.No%uint64(len(j.answered))]; {
	case t == nil:
		j.refuse(last, answered{it.No, n, run})
		j.tell(n, orderAccept, it) // it settled before: there is nothing to keep
		if j.mutant == mutantSettlesTwice {
			j.do(effect{Kind: effectSettle, Task: it.No, Outcome: outcome})
		}
		return
	case t.grant != nil && t.grant.node != n:
		j.refuse(last, answered{it.No, n, run})
		j.tell(n, orderDrop, it) // who has no right to run it has no say in its outcome
		return
	default:
		*last = answered{it.No, n, run}
	}
	if h := t.at(n); h != nil {
		h.state = done
	}
	j.tell(n, orderAccept, it)
	j.settle(t, outcome)
}

// refuse counts a result that changes nothing, unless it is the one that came last.
func (j *judge) refuse(last *answered, a answered) {
	if *last != a {
		*last = a
		j.stats.Stale++
	}
}

// returned is a task that a node had and cannot run; it never started it. It is published again after a while.
func (j *judge) returned(n *node, it item, why misfit) {
	t := j.tasks[it.No]
	if t != nil && (t.heldElsewhere(n) || t.grant != nil && t.grant.node != n) {
		j.tell(n, orderLeave, it) // the message is the other's to acknowledge
		return
	}
	j.tell(n, orderAccept, it)
	if t == nil {
		return
	}
	t.misfit = why
	if h := t.at(n); h != nil {
		if h.state != asking && h.question != it.Question && j.mutant != mutantReplaysControl {
			return // of the past: it has been let run since
		}
		t.drop(h)
		if t.grant == h {
			t.grant, t.started = nil, false
		}
	}
	hope := why != fits && j.hope(t, n)
	if why != fits && !hope && j.now-t.hopeless > j.Unknown {
		j.abandon(t, why.error())
		return
	}
	if t.due == 0 && (t.seq == it.Seq || t.seq == 0) { // whoever else has it is in trouble
		most := maxReturn
		if hope { // it comes to who knows it by chance
			most = returnFew
		}
		t.due = j.now + min(returnDelay<<min(t.returns, 10), most)
		t.returns++
	}
}

// abandon settles a task that no node is left to bring to its end.
func (j *judge) abandon(t *task, why error) {
	j.stats.Abandoned++
	j.settle(t, &pool.Reply{Err: why})
}

// hope tells whether somebody is there who may know a task, which a node has given back since its program does not.
func (j *judge) hope(t *task, from *node) bool {
	if p := from.programOr(); !slices.Contains(t.unfit, p) {
		t.unfit = append(t.unfit, p)
	}
	for _, n := range j.nodes {
		if n.state == alive && !slices.Contains(t.unfit, n.programOr()) {
			t.hopeless = 0
			return true
		}
	}
	if t.hopeless == 0 {
		t.hopeless = j.now
	}
	return false
}

// programOr is what a node's program is known by: one that has not said hello stands for itself alone.
func (n *node) programOr() string { return cmp.Or(n.program, n.id) }

// offer has what no node there knew stored again at once, now that one of another program has come.
func (j *judge) offer(n *node) {
	for _, t := range j.order {
		if !t.settled && t.misfit != fits && !slices.Contains(t.unfit, n.programOr()) {
			t.hopeless = 0
			if t.due > 0 {
				t.due = min(t.due, j.now)
			}
		}
	}
}

// compare takes a pong's list of all that a node had when it was pinged: what it had told of before and has not, it let
// go of.
func (j *judge) compare(n *node, hand []item, pinged time.Duration) {
	has := make(map[uint64]bool, len(hand))
	n.ponged, n.listed = max(n.ponged, pinged), len(hand)
	for _, it := range hand {
		has[it.No] = true
		if t := j.tasks[it.No]; it.State != asking && (t == nil || t.at(n) == nil) { // the word of it was lost
			j.note(n, it)
		}
	}
	for _, t := range j.order {
		if h := t.at(n); !t.settled && h != nil && !has[t.no] && h.since < pinged && t.grant != h {
			t.drop(h)
			j.rescue(t, h)
		}
	}
}

// rescue has the broker hand a task out again that a node does not bring to its end.
func (j *judge) rescue(t *task, h *hold) {
	switch {
	case t.settled || len(t.holds) > 0 || t.due > 0:
	case t.epoch != j.epoch: // the stream that had it is gone
		j.stats.Repaired++
		t.due = max(t.notYet, j.now)
	default:
		t.missing = j.now
		j.do(effect{Kind: effectNak, Ack: h.ack, Delay: max(t.notYet-j.now, 0)})
	}
}

// refused tells that nobody listens at a node's address just now. confirmed says that its own broker says so, and not
// one to which the way there may be broken.
func (j *judge) refused(now time.Duration, id string, confirmed bool) {
	j.now = now
	n := j.nodes[id]
	if n == nil || j.blind() && j.mutant != mutantBlamesBlind || n.state == ended {
		return
	}
	if n.refusals == 0 {
		n.refusedFrom = now
	}
	if confirmed {
		n.confirmed = now
	}
	if n.refusals == 0 || now-n.refused >= refusalGap {
		n.refusals++
		n.refused = now
	}
	if j.mutant == mutantRefusalIsDeath {
		j.end(n)
		return
	}
	if n.refusals >= 2 && (n.confirmed >= n.refusedFrom || now-n.refusedFrom >= refusalAlone) && n.state == alive {
		j.suspected(n)
	}
}

// suspected lets a node's tasks run elsewhere. What is to run at most once stays where it was granted.
func (j *judge) suspected(n *node) {
	n.state = suspect
	j.lostAt, j.cursor = j.now, 0
	for _, t := range j.order {
		if len(t.holds) == 0 {
			t.missing = 0 // it may have been on its way to this one, which can say so no more
		}
		if h := t.at(n); !t.settled && h != nil && t.grant != h {
			t.count(h, j.now)
			switch {
			case t.heldElsewhere(n):
			case t.epoch != j.epoch:
				j.stats.Repaired++
				t.due = j.now
			default:
				j.do(effect{Kind: effectNak, Ack: h.ack})
			}
		}
	}
}

// silent gives up a node that was not heard for NodeTimeout: what was granted there is lost, and the rest runs
// elsewhere. Nobody is blamed, since a cut looks the same.
func (j *judge) silent(n *node) {
	if n.state == alive {
		j.suspected(n)
	}
	n.state = gone
	j.takeBack(n)
}

// end is a node whose process is proven to have ended. What may have been running is blamed for it.
func (j *judge) end(n *node) {
	if n.state == alive {
		j.lostAt, j.cursor = j.now, 0
	}
	n.state = ended
	j.takeBack(n)
}

// takeBack settles the affairs of a node that is gone or has ended.
func (j *judge) takeBack(n *node) {
	for _, t := range slices.Clone(j.order) {
		h := t.at(n)
		switch {
		case t.settled || h == nil:
			continue
		case t.grant == h:
			j.lose(t, n)
			continue
		}
		t.drop(h)
		t.count(h, j.now)
		if n.state == ended && (h.allowed && h.state != done || j.mutant == mutantChargesAll) {
			j.blame(t, h)
		}
		j.rescue(t, h)
	}
}

// count counts a node that was lost with t, once.
func (t *task) count(h *hold, now time.Duration) {
	if h.counted || !h.allowed || h.state == done {
		return
	}
	h.counted = true
	if t.losses++; t.quarantined() {
		t.notYet = now + suspectDelay<<min(t.losses-2, 10)
	}
}

// blame records a node's end for a task that was running there, and charges it: each time that it ran alone, and once
// for all the times that it did not.
func (j *judge) blame(t *task, h *hold) {
	n := h.node
	if h.alone || t.blamed == 0 || j.mutant == mutantChargesAll {
		t.blamed++
	}
	t.exits = append(t.exits, nodeExit(n, t.no))
	if t.blamed >= cmp.Or(t.budget, j.Budget) {
		j.abandon(t, lost(t, n))
	}
}

// lose settles a task that was to run at most once and may have.
func (j *judge) lose(t *task, n *node) {
	t.exits = append(t.exits, nodeExit(n, t.no))
	j.abandon(t, lost(t, n))
}

// connection tells that the owner's own connection to the broker was lost, or is back.
func (j *judge) connection(now time.Duration, up bool) {
	j.now = now
	if j.mutant == mutantBlamesBlind {
		return
	}
	j.offline = !up
	j.blindTil = now + blindness
	for _, n := range j.nodes {
		n.refusals, n.heard = 0, max(n.heard, now-j.NodeTimeout/2)
	}
}

// blind tells whether what does not come says more about this owner than about others.
func (j *judge) blind() bool { return j.offline || j.now < j.blindTil }

// tick does what time alone brings about. It is to be called every 50 ms or so; a call that comes late shows that this
// process was held up, and then nobody is judged by what it did not hear meanwhile.
func (j *judge) tick(now time.Duration) {
	if late := now - j.looked - ownDelay; j.looked > 0 && late > 0 && j.mutant != mutantJudgesAfterPause {
		j.blindTil = now + blindness
		for _, n := range j.nodes {
			n.heard, n.refusals = min(n.heard+late+ownDelay, now), 0
		}
	}
	j.now, j.looked = now, now
	if j.offline {
		return
	}
	for _, id := range sortedKeys(j.nodes) {
		j.watch(j.nodes[id])
	}
	if now-j.swept < sweepEvery {
		return
	}
	j.swept = now
	j.sweep()
	for _, t := range j.order {
		if !t.settled && t.due > 0 && t.due <= now {
			j.publish(t)
		}
	}
	if (j.anew || now-j.repaired >= j.Repair || j.hurries() && now-j.repaired >= hurryLook) &&
		j.mutant != mutantNoRepair {
		j.repaired = now
		j.repair()
	}
	j.missed()
	j.alone()
}

// alone settles what has waited for a first node for too long. What may have started anywhere waits on.
func (j *judge) alone() {
	for _, n := range j.nodes {
		if n.state == alive {
			j.served = j.now
			return
		}
	}
	for _, t := range slices.Clone(j.order) {
		if j.NoNodes > 0 && !t.settled && !t.started && j.now-max(j.served, t.born) > j.NoNodes {
			if t.seq > 0 {
				j.do(effect{Kind: effectDelete, Seq: t.seq})
			}
			j.abandon(t, ErrNoNodes)
		}
	}
}

// watch pings a node and gives it up in the end.
func (j *judge) watch(n *node) {
	if n.state == ended || n.state == gone {
		if j.now-n.heard > 10*j.NodeTimeout &&
			!slices.ContainsFunc(j.order, func(t *task) bool { return t.at(n) != nil }) {
			delete(j.nodes, n.id)
		}
		return
	}
	if since := j.now - n.pinged; since >= j.Ping || n.refusals > 0 && n.state == alive && since >= refusalGap {
		n.pinged = j.now
		j.do(effect{
			Kind: effectPing, Node: n.id, Order: order{Owner: j.owner, Kind: orderPing, Question: uint64(j.now)},
		})
	}
	if j.now-n.heard > j.NodeTimeout && (!j.blind() || j.mutant == mutantBlamesBlind) {
		j.silent(n)
	}
}

// missed finds tasks that were delivered, as a later one was, to nobody who tells.
func (j *judge) missed() {
	if j.mutant == mutantNakOnlyNoted || j.now-j.notedAt < noteGrace {
		return
	}
	for _, t := range j.order {
		if !t.settled && t.seq > 0 && t.seq < j.noted && len(t.holds) == 0 && t.due == 0 && t.missing == 0 &&
			j.now-t.sent > noteGrace {
			t.missing = j.now
			j.do(effect{Kind: effectNakSeq, Seq: t.seq})
		}
	}
}

// repair asks the broker about the oldest tasks that nobody has, a batch at a time, in rotation.
func (j *judge) repair() {
	asked := 0
	look := func(after uint64) {
		for _, t := range j.order {
			if asked == repairBatch {
				return
			}
			if t.no <= after || t.settled || t.due > 0 || len(t.holds) > 0 {
				continue
			}
			if age := j.now - t.sent; age < j.Repair &&
				(!j.hurries() || age < hurryLook || t.seq == 0 || t.missing > 0) {
				continue
			}
			asked++
			j.cursor = t.no
			if t.seq == 0 {
				if j.mutant != mutantBelievesRefusal {
					t.due = j.now // never confirmed
				}
			} else if j.mutant != mutantRepairsByFloor {
				j.do(effect{Kind: effectGet, Task: t.no, Try: t.try, Seq: t.seq})
			}
		}
	}
	if look(j.cursor); asked < repairBatch {
		j.cursor, j.anew = 0, false
	}
}

// hurries tells whether a node was lost just now.
func (j *judge) hurries() bool { return j.lostAt > 0 && j.now-j.lostAt < hurry }

// sweep forgets settled tasks once they are most of the list.
func (j *judge) sweep() {
	if len(j.order) > 2*len(j.tasks)+64 {
		j.order = slices.DeleteFunc(j.order, func(t *task) bool { return t.settled })
	}
}

// workers is how many workers the nodes that are alive have.
func (j *judge) workers() (n int) {
	for _, node := range j.nodes {
		if node.state == alive {
			n += node.workers
		}
	}
	return n
}

// nodeInfos are the nodes, by their identities.
func (j *judge) nodeInfos(now time.Duration) (list []NodeInfo) {
	held := make(map[*node]int)
	for _, t := range j.tasks {
		for _, h := range t.holds {
			held[h.node]++
		}
	}
	for _, id := range sortedKeys(j.nodes) {
		n := j.nodes[id]
		info := NodeInfo{
			ID: id, Name: n.name, Host: n.host, PID: n.pid, Workers: n.size, State: n.state.String(), Held: held[n],
			Listed: n.listed, Silent: Milliseconds(max(now-n.heard, 0)), Refusals: n.refusals,
		}
		if n.blamed != nil {
			info.Suspect = n.blamed.no
		}
		list = append(list, info)
	}
	return list
}

func (s nodeState) String() string {
	return [...]string{"alive", "suspect", "gone", "ended"}[min(s, ended)]
}
