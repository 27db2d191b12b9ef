package fleet

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/pool"
)

const (
	// between two reports of what is still in hand
	noteAgain = 5 * time.Second
	// since its owner was heard: a first delivery may run at once
	heardLimit = 2 * time.Second
	// after a broken connection, for which everything asks first
	askPeriod = 60 * time.Second
	// of silence after which an owner's tasks are dropped
	ownerGone = 60 * time.Second
	// that further tasks of such an owner are asked for: a backlog of them must not keep all others waiting
	goneGrace = 5 * time.Second
	// until a question or a result that nobody answered is repeated; results double it
	askAgain  = 500 * time.Millisecond
	maxResend = 8 * time.Second

	// of its owner, after which a node that drains does not wait for it to take a task back
	drainSilence = 3 * time.Second
	handFactor   = 4        // how many tasks a node has in hand for each worker at most, beside those of silent owners
	silentTasks  = 256      // of owners that were not heard for a while, which keep no other task away
	silentBytes  = 16 << 20 // of the arguments and results of these
	defCredit    = 32 << 20 // bytes of unaccepted results for one owner
)

// hand is what a node has of its owners' tasks. Like the judge it knows neither clock nor network, and is not safe for
// concurrent use.
type hand struct {
	limits
	node    string
	name    string
	host    string
	workers int
	credit  int64
	mutant

	now      time.Duration
	tasks    map[taskKey]*inHand
	owners   map[string]*ownerSeen
	running  int // tasks
	question uint64
	runs     uint64        // counts
	askTil   time.Duration // everything asks first until then
	hello    time.Duration // when the next one is due
	alone    taskKey       // what is to run, or runs, with nothing beside it
	aloneTil time.Duration // its place is kept until then
	draining bool
	granted  []taskKey // that their owners let run, and that wait for a worker
	// tasks that wait for the word of owners that were not heard for a while, before or after their run; as of the last
	// tick
	silent  int
	fresh   []taskKey // started and not told of: what ends soon is told of by its result
	effects []handEffect
	taken   []handEffect // what take has given last, to be filled anew
}

type taskKey struct {
	owner string
	no    uint64
}

// inHand is one task at a node.
type inHand struct {
	delivery
	state    stateAtNode
	question uint64
	granted  bool   // its owner lets it run, and it waits for a worker
	run      uint64 // which of this node's runs is its last
	returned bool   // it goes back; the owner has not taken that yet
	misfit   misfit // why no node of this program will have it
	outcome  *pool.Reply
	size     int64
	came     time.Duration
	told     time.Duration // when it was last told of
	waits    time.Duration // until its result is told again
	renewed  time.Duration // when the broker was last told that it is in progress
}

type ownerSeen struct {
	heard   time.Duration
	dropped time.Duration // when a task of it was last dropped, since it was gone; 0: none was
	pending int64         // bytes of its results that it has not accepted
}

type handEffectKind uint8

const (
	handReport   handEffectKind = iota + 1 // Owner, Report
	handStart                              // Key: run it
	handStop                               // Key: cancel its run
	handAck                                // Ack
	handProgress                           // Ack: it is in progress, AckWait begins anew
	handHello                              // Report, to everybody
	handArrived                            // Key, Arg: its argument is here (the server's own)
)

type handEffect struct {
	Kind   handEffectKind
	Owner  string
	Report report
	Key    taskKey
	Ack    string
	Arg    []byte
}

func newHand(node, name, host string, workers int, l limits, m mutant) *hand {
	return &hand{
		limits: l.withDefaults(), node: node, name: name, host: host, workers: workers, credit: defCredit, mutant: m,
		tasks: make(map[taskKey]*inHand), owners: make(map[string]*ownerSeen),
	}
}

// at tells the time. A node that was stopped for a while may have been taken for gone, and what waits for it in its
// sockets is of the past: it asks for everything anew, also for what it was allowed.
func (h *hand) at(now time.Duration) {
	if h.now > 0 && now-h.now > ownDelay && h.mutant != mutantResumesWithoutLease {
		h.askTil = max(h.askTil, now+h.NodeTimeout/2)
		for _, t := range h.tasks {
			if t.state == asking && !t.returned {
				h.ask(t)
				t.told = now - askAgain
			}
		}
	}
	h.now = now
}

func (h *hand) do(e handEffect) { h.effects = append(h.effects, e) }

// take gives what is to be done since the last call. It is the caller's until the next.
func (h *hand) take() []handEffect {
	h.effects, h.taken = again(h.taken), h.effects
	return h.taken
}

func (h *hand) report(owner string, r report) {
	r.Node = h.node
	h.do(handEffect{Kind: handReport, Owner: owner, Report: r})
}

func (h *hand) owner(id string) *ownerSeen {
	o := h.owners[id]
	if o == nil {
		o = &ownerSeen{heard: -h.NodeTimeout}
		h.owners[id] = o
	}
	return o
}

// isGone tells whether nobody waits for a task that came then: its owner has been silent for long since, or was found
// to be gone by another of its tasks and has said nothing yet.
func (o *ownerSeen) isGone(now, came time.Duration) bool {
	limit := ownerGone
	if o.dropped > o.heard {
		limit = goneGrace
	}
	return now-o.heard > ownerGone && now-came > limit
}

// busy is how many tasks run.
func (h *hand) busy() int { return h.running }

// set changes how far a task is.
func (h *hand) set(t *inHand, to stateAtNode) {
	if t.state == running {
		h.running--
	}
	if to == running {
		h.running++
	}
	t.state = to
}

// deliver takes what a pull brought: first tries for owners that are there run at once and are told of by note, the
// rest asks.
func (h *hand) deliver(now time.Duration, ds ...delivery) {
	h.at(now)
	items := make(map[string][]item)
	for i := range ds {
		d := &ds[i]
		k := taskKey{d.Owner, d.No}
		if t := h.tasks[k]; t != nil { // delivered here again, or published twice
			if t.Seq == d.Seq {
				t.Ack = d.Ack
			}
			continue
		}
		o := h.owner(d.Owner)
		t := &inHand{delivery: *d, came: now, told: now, renewed: now}
		h.tasks[k] = t
		switch {
		case h.mutant == mutantAckBeforeRun:
			h.do(handEffect{Kind: handAck, Ack: d.Ack})
			h.start(k, t)
		case h.mutant == mutantDeliverBudget && d.Count > 5:
			h.do(handEffect{Kind: handStart, Key: k})
			h.set(t, running)
			h.finished(now, k, &pool.Reply{Err: &pool.WorkerLostError{Task: d.Task}}, 0)
			continue
		case h.draining, o.pending >= h.credit && h.mutant != mutantNoCredit:
			h.giveBack(k, t)
			continue
		case h.mayStart(o, d):
			h.start(k, t)
			h.fresh = append(h.fresh, k)
			continue
		default:
			h.ask(t)
		}
		items[d.Owner] = append(items[d.Owner], t.item())
	}
	for _, owner := range sortedKeys(items) {
		h.report(owner, report{Kind: reportHand, Items: items[owner]})
	}
}

// note tells of what was started and still runs. It is to be called within some ten milliseconds of that.
func (h *hand) note() {
	items := make(map[string][]item)
	for _, k := range h.fresh {
		if t := h.tasks[k]; t != nil && t.state == running {
			items[k.owner] = append(items[k.owner], t.item())
		}
	}
	h.fresh = h.fresh[:0]
	for _, owner := range sortedKeys(items) {
		h.report(owner, report{Kind: reportHand, Items: items[owner]})
	}
}

// mayStart tells whether a delivery may run before its owner has answered.
func (h *hand) mayStart(o *ownerSeen, d *delivery) bool {
	switch {
	case h.mutant == mutantShortAckWait, h.mutant == mutantNoAsk:
		return d.Delivery == pool.AtLeastOnce
	case h.mutant == mutantTrustsDedupe && d.Delivery == pool.AtLeastOnce && d.Count == 1:
		return true
	}
	fresh := h.now-o.heard <= heardLimit || h.mutant == mutantRunsForGone
	return !d.asksFirst() && d.Count == 1 && fresh && h.now >= h.askTil && h.busy() < h.workers && !h.reserved()
}

func (h *hand) ask(t *inHand) {
	h.ungrant(t)
	h.question++
	h.set(t, asking)
	t.question = h.question
}

func (h *hand) start(k taskKey, t *inHand) {
	h.ungrant(t)
	h.set(t, running)
	h.runs++
	t.run = h.runs
	h.do(handEffect{Kind: handStart, Key: k})
}

// ungrant forgets that a task may run.
func (h *hand) ungrant(t *inHand) {
	if t.granted {
		t.granted = false
		h.granted = slices.DeleteFunc(h.granted, func(k taskKey) bool { return k == taskKey{t.Owner, t.No} })
	}
}

// next starts what waits for a worker, once there is one. The right to start is a lease: it is asked for again if its
// owner was not heard for a while.
func (h *hand) next() {
	for len(h.granted) > 0 && h.busy() < h.workers && !h.reserved() && !h.draining {
		k := h.granted[0]
		t := h.tasks[k]
		if h.owner(k.owner).pending >= h.credit && h.mutant != mutantNoCredit {
			h.giveBack(k, t)
			continue
		}
		if h.now-h.owner(k.owner).heard > heardLimit || h.now < h.askTil {
			h.ask(t)
			t.told = h.now
			h.report(k.owner, report{Kind: reportHand, Items: []item{t.item()}})
			continue
		}
		h.start(k, t)
		h.fresh = append(h.fresh, k)
	}
}

// allowed starts what its owner lets run, if there is a worker for it. While something is to run alone, nothing else
// begins. What does not begin now asks again until it may.
func (h *hand) allowed(k taskKey, t *inHand, alone bool) {
	switch {
	case h.draining, h.owner(k.owner).pending >= h.credit && h.mutant != mutantNoCredit:
		h.giveBack(k, t)
	case h.reserved() && h.alone != k:
	case !alone && h.busy() >= h.workers:
		if !t.granted {
			t.granted = true
			h.granted = append(h.granted, k)
		}
	case !alone:
		h.start(k, t)
	case h.busy() > 0:
		h.alone, h.aloneTil = k, h.now+4*askAgain
	default:
		h.alone, h.aloneTil = k, h.now
		h.start(k, t)
		h.report(k.owner, report{Kind: reportHand, Items: []item{t.item()}})
	}
}

// reserved tells whether something runs alone, or waits to.
func (h *hand) reserved() bool {
	if h.now < h.aloneTil {
		return true
	}
	t := h.tasks[h.alone]
	return t != nil && t.state == running
}

// room is for how many more tasks this node has workers. Those that wait for their owner's word take none, but are
// bounded, too; what an owner that was killed has left behind waits for a minute, and others are to have their turn
// meanwhile.
func (h *hand) room() int {
	if h.reserved() || h.draining {
		return 0
	}
	return min(h.workers-h.busy()-len(h.granted), handFactor*h.workers-len(h.tasks)+h.silent)
}

func (t *inHand) item() item {
	return item{No: t.No, Seq: t.Seq, Ack: t.Ack, Count: t.Count, State: t.state, Question: t.question}
}

// giveBack returns what this node cannot run and has not started, to its owner. It is forgotten when the owner has
// taken it.
func (h *hand) giveBack(k taskKey, t *inHand) {
	h.ungrant(t)
	t.returned, t.told = true, h.now
	h.report(k.owner, report{Kind: reportReturn, Items: []item{t.item()}, Misfit: t.misfit})
}

// obey takes an owner's order.
func (h *hand) obey(now time.Duration, o order) {
	h.at(now)
	if o.Owner != "" { // an operator is none
		h.owner(o.Owner).heard = now
	}
	k := taskKey{o.Owner, o.No}
	t := h.tasks[k]
	switch {
	case o.Kind == orderPing:
		h.pong(o)
	case o.Kind == orderDrain:
		h.drain(now)
	case o.Kind == orderGone:
		h.gone(o.Owner)
	case t == nil:
	case (o.Kind == orderLeave || o.Kind == orderAccept) && o.Seq != t.Seq && h.mutant != mutantReplaysControl:
		// of the past
	case o.Kind == orderRun:
		if t.state == asking && !t.returned && (t.question == o.Question || h.mutant == mutantReplaysControl) {
			h.allowed(k, t, o.Alone)
		}
	case o.Kind == orderLeave:
		if t.state != done {
			h.forget(k, t)
		}
	case o.Kind == orderDrop:
		h.do(handEffect{Kind: handAck, Ack: t.Ack})
		h.forget(k, t)
	case o.Kind == orderAccept:
		if t.state == done || t.returned {
			h.do(handEffect{Kind: handAck, Ack: t.Ack})
			h.forget(k, t)
		}
	}
}

// gone lets go of all that is an owner's, which has ended.
func (h *hand) gone(owner string) {
	for _, k := range h.keys() {
		if t := h.tasks[k]; t != nil && k.owner == owner {
			h.do(handEffect{Kind: handAck, Ack: t.Ack})
			h.forget(k, t)
		}
	}
	delete(h.owners, owner)
}

// forget lets go of a task, and of its run.
func (h *hand) forget(k taskKey, t *inHand) {
	h.ungrant(t)
	if t.state == running {
		h.do(handEffect{Kind: handStop, Key: k})
		h.set(t, asking)
	}
	if t.state == done {
		h.owner(k.owner).pending -= t.size
	}
	delete(h.tasks, k)
	h.next()
}

func (h *hand) pong(o order) {
	var items []item
	for _, k := range h.keys() {
		if k.owner == o.Owner {
			t := h.tasks[k]
			items = append(items, t.item())
			if h.now-t.told > time.Second { // its owner is there, and may have missed a result while it was not
				t.waits = min(t.waits, askAgain)
			}
		}
	}
	h.report(o.Owner, report{Kind: reportPong, Items: items, Ping: o.Question})
}

// keys are those of what is in hand, in an order that depends on nothing else.
func (h *hand) keys() []taskKey {
	keys := make([]taskKey, 0, len(h.tasks))
	for k := range h.tasks {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b taskKey) int {
		if a.owner != b.owner {
			if a.owner < b.owner {
				return -1
			}
			return 1
		}
		return int(int64(a.no) - int64(b.no))
	})
	return keys
}

// finished takes the outcome of a run: size is that of its payload in bytes.
func (h *hand) finished(now time.Duration, k taskKey, outcome *pool.Reply, size int64) {
	h.at(now)
	t := h.tasks[k]
	if t == nil || t.state != running {
		return
	}
	h.set(t, done)
	t.outcome, t.size = outcome, size
	h.owner(k.owner).pending += size
	t.waits = askAgain
	h.tellResult(k, t)
	h.next()
	if h.mutant == mutantAckBeforeAccept {
		h.do(handEffect{Kind: handAck, Ack: t.Ack})
		h.forget(k, t)
	}
}

func (h *hand) tellResult(k taskKey, t *inHand) {
	t.told = h.now
	h.report(k.owner, report{Kind: reportResult, Items: []item{t.item()}, Outcome: t.outcome, Run: t.run})
}

// cannot gives back a task that the node was told to start and has not: its pool is closed, full, or does not come up.
func (h *hand) cannot(now time.Duration, k taskKey, why misfit) {
	h.at(now)
	if t := h.tasks[k]; t != nil && t.state == running {
		h.set(t, asking)
		t.misfit = why
		h.giveBack(k, t)
	}
}

// drain takes nothing new and gives back what has not started. The hand is empty when the rest has been taken.
func (h *hand) drain(now time.Duration) {
	h.at(now)
	h.draining = true
	for _, k := range h.keys() {
		if t := h.tasks[k]; t.state == asking && !t.returned {
			h.giveBack(k, t)
		}
	}
}

// bye tells every owner that this node ends.
func (h *hand) bye() {
	for _, id := range sortedKeys(h.owners) {
		h.report(id, report{Kind: reportBye})
	}
}

// doubt has everything ask first for a while: the queue has come to another broker, which may not know what was handed
// out last.
func (h *hand) doubt(now time.Duration) {
	if h.mutant != mutantNoAsk && h.mutant != mutantTrustsDedupe {
		h.askTil = max(h.askTil, now+askPeriod)
	}
}

// connection tells that the broker was lost, or is back. What it says from then on may be a part of the past.
func (h *hand) connection(now time.Duration, up bool) {
	h.at(now)
	h.doubt(now)
	if up { // its owners may have missed all that it said
		h.hello = 0
		for _, t := range h.tasks {
			t.told, t.waits = now-noteAgain, min(t.waits, askAgain)
		}
	}
}

// tick does what time alone brings about, at least four times a second. The right to start is a lease: what was not
// begun by the time that its owner was last heard too long ago asks again.
func (h *hand) tick(now time.Duration) {
	h.at(now)
	if now >= h.hello {
		h.hello = now + 2*time.Second
		h.do(handEffect{
			Kind:   handHello,
			Report: report{Node: h.node, Kind: reportHello, Name: h.name, Host: h.host, Workers: h.workers},
		})
	}
	h.note()
	again := make(map[string][]item)
	h.silent = 0
	bytes := int64(0)
	for _, k := range h.keys() {
		t := h.tasks[k]
		if o := h.owner(k.owner); o.isGone(now, t.came) && h.mutant != mutantRunsForGone {
			o.dropped = now
			h.do(handEffect{Kind: handAck, Ack: t.Ack}) // nobody waits for it, and nobody must be handed it again
			h.forget(k, t)
			continue
		}
		if size := int64(len(t.Arg)) + t.size; bytes+size <= silentBytes && h.silent < silentTasks &&
			t.state != running && now-h.owner(k.owner).heard > heardLimit {
			h.silent++
			bytes += size
		}
		if now-t.renewed >= h.AckWait/3 {
			t.renewed = now
			h.do(handEffect{Kind: handProgress, Ack: t.Ack})
		}
		switch {
		case t.returned && h.draining && now-h.owner(k.owner).heard > drainSilence:
			h.forget(k, t) // its owner is gone, or stores it again
		case t.returned && now-t.told >= askAgain:
			h.giveBack(k, t)
		case t.returned:
		case t.state == done && now-t.told >= t.waits:
			t.waits = min(2*t.waits, maxResend)
			h.tellResult(k, t)
		case t.state == asking && now-t.told >= askAgain, t.state == running && now-t.told >= noteAgain:
			t.told = now
			again[k.owner] = append(again[k.owner], t.item())
		}
	}
	for _, owner := range sortedKeys(again) {
		h.report(owner, report{Kind: reportHand, Items: again[owner]})
	}
	for id, o := range h.owners {
		if now-max(o.heard, o.dropped) > 2*ownerGone && o.pending == 0 {
			delete(h.owners, id)
		}
	}
}
