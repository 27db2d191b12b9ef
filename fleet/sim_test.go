package fleet

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// sim is a fleet in virtual time: the real judge of each owner, the real hand of each node, and a broker, a network,
// clocks and processes that misbehave as a seed says.
type sim struct {
	seed   uint64
	rng    *rand.Rand
	mutant mutant
	now    time.Duration
	queue  eventHeap
	serial int

	limits   limits
	broker   *simBroker
	owners   []*simOwner
	nodes    []*simNode // all that ever were
	badUntil time.Duration
	troubled bool // something other than a node has had trouble
	// the broker came back as it was earlier: numbers name other messages than before, and acks hit these; 0: never
	rolledAt   time.Duration
	names      int
	runs       []*simRun
	trace      []string
	wrong      []string
	faults     int          // that are planned
	without    map[int]bool // those that do not happen
	watching   bool         // keep a trace
	onlyKills  bool         // nothing but the end of nodes
	onlyPauses bool         // nothing but a node that is stopped, one at a time
	onlyEmpty  bool         // nothing but a broker that forgets everything, again and again, and nodes that are killed
	slow       bool         // nothing but owners that are slow to take results
}

type simEvent struct {
	at     time.Duration
	serial int
	do     func()
}

type eventHeap []*simEvent

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].serial < h[j].serial
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(*simEvent)) }
func (h *eventHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (s *sim) after(d time.Duration, do func()) {
	s.serial++
	heap.Push(&s.queue, &simEvent{s.now + d, s.serial, do})
}

func (s *sim) note(format string, args ...any) {
	if s.watching {
		s.trace = append(s.trace, fmt.Sprintf("%9.3fs ", s.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (s *sim) violation(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf("%.3fs: ", s.now.Seconds())+fmt.Sprintf(format, args...))
	s.note("VIOLATION "+format, args...)
}

// between is a random duration.
func (s *sim) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.rng.Int64N(int64(hi-lo)+1))
}

// party is a process with a connection to the broker.
type party struct {
	s         *sim
	name      string
	dead      bool
	paused    bool
	cut       bool // from the broker
	connected bool
	inbox     []func() // what came while it was stopped
	epoch     int      // of its connection
	replay    []func() // what a reconnect buffer keeps, which there must not be
	troubled  time.Duration
	late      func()        // its timers
	sent      time.Duration // when what it sent last arrives
	received  time.Duration // when what was sent to it last arrives
}

// run does something in the process, or later if it is stopped, or never if it is dead.
func (p *party) run(do func()) {
	switch {
	case p.dead:
	case p.paused:
		p.inbox = append(p.inbox, do)
	default:
		do()
	}
}

// mark says that the process had trouble of its own just now, which is a cause to run its tasks elsewhere.
func (p *party) mark() { p.troubled = p.s.now }

// delay is that of one message.
func (s *sim) delay() time.Duration {
	if s.now < s.badUntil {
		return s.between(200*time.Microsecond, 300*time.Millisecond)
	}
	return s.between(200*time.Microsecond, 3*time.Millisecond)
}

// inOrder does something after a delay, and after what the same connection has carried before.
func (s *sim) inOrder(last *time.Duration, do func()) {
	*last = max(*last, s.now+s.delay())
	s.after(*last-s.now, do)
}

// toBroker carries something from a party to the broker.
func (s *sim) toBroker(p *party, do func()) {
	if !p.connected || p.cut { // what is written to a connection that is cut is lost before anybody notices
		if s.mutant == mutantReplaysControl {
			p.replay = append(p.replay, do)
		}
		return
	}
	epoch := p.epoch
	s.inOrder(&p.sent, func() {
		if s.broker.up && (epoch == p.epoch || p.dead) { // what a process wrote before it died arrives
			do()
		}
	})
}

// fromBroker carries something from the broker to a party.
func (s *sim) fromBroker(p *party, do func()) {
	if p.dead || !p.connected || p.cut {
		return
	}
	times := 1
	if s.now < s.badUntil && s.rng.IntN(50) == 0 {
		times = 2
	}
	epoch := p.epoch
	for range times {
		s.inOrder(&p.received, func() {
			if epoch == p.epoch {
				p.run(do)
			}
		})
	}
}

// simBroker is a work queue that keeps what it is told to keep, more or less.
type simBroker struct {
	s       *sim
	up      bool
	epoch   int // of the consumer's name
	stream  map[uint64]*simStored
	last    uint64
	pulls   []*simPull
	dedupe  map[string]uint64
	history []simSnapshot
}

type simStored struct {
	env       envelope
	id        string
	delivered int
	pending   bool
	deadline  time.Duration
}

type simPull struct {
	node    *simNode
	want    int
	expires time.Duration
}

type simSnapshot struct {
	at     time.Duration
	last   uint64
	stream map[uint64]simStored
}

// publish stores a task, unless it is meant for another stream than there is now.
func (b *simBroker) publish(env envelope, id, epoch string) uint64 {
	if epoch != b.epochName() && b.s.mutant != mutantStoresInAny {
		return 0
	}
	if seq, ok := b.dedupe[id]; ok {
		return seq
	}
	b.last++
	b.stream[b.last] = &simStored{env: env, id: id}
	b.dedupe[id] = b.last
	b.s.after(0, b.serve)
	return b.last
}

// serve hands out what waits to whoever has asked. It does not know who is stopped.
func (b *simBroker) serve() {
	if !b.up {
		return
	}
	for _, seq := range sortedKeys(b.stream) {
		m := b.stream[seq]
		if m.pending && m.deadline > b.s.now {
			continue
		}
		m.pending = false
		p := b.nextPull()
		if p == nil {
			return
		}
		m.pending, m.deadline = true, b.s.now+b.s.limits.AckWait
		m.delivered++
		d := delivery{envelope: m.env, Seq: seq, Count: m.delivered, Ack: fmt.Sprintf("%d.%d", b.epoch, seq)}
		b.s.fromBroker(&p.node.party, func() { p.node.delivered(d) })
	}
}

func (b *simBroker) epochName() string { return fmt.Sprint(b.epoch) }

func (b *simBroker) nextPull() *simPull {
	for len(b.pulls) > 0 {
		p := b.pulls[0]
		if p.want > 0 && p.expires > b.s.now && p.node.connected {
			p.want--
			return p
		}
		b.pulls = b.pulls[1:]
	}
	return nil
}

func (b *simBroker) bySubject(ack string) (uint64, *simStored) {
	var epoch int
	var seq uint64
	_, _ = fmt.Sscanf(ack, "%d.%d", &epoch, &seq)
	if epoch != b.epoch && b.s.mutant != mutantAcksAcrossEpochs {
		return 0, nil
	}
	return seq, b.stream[seq]
}

func (b *simBroker) ack(ack string) {
	if seq, m := b.bySubject(ack); m != nil {
		b.s.checkAck(m)
		delete(b.stream, seq)
	}
}

func (b *simBroker) nak(ack string, delay time.Duration) {
	if _, m := b.bySubject(ack); m != nil && m.delivered > 0 {
		m.pending, m.deadline = delay > 0, b.s.now+delay
		b.s.after(delay, b.serve)
	}
}

func (b *simBroker) progress(ack string) {
	if _, m := b.bySubject(ack); m != nil && m.pending {
		m.deadline = b.s.now + b.s.limits.AckWait
	}
}

func (b *simBroker) save() {
	snap := simSnapshot{b.s.now, b.last, make(map[uint64]simStored)}
	for seq, m := range b.stream {
		snap.stream[seq] = *m
	}
	b.history = append(b.history, snap)
}

// crash ends the broker; how says what it knows when it is back.
func (b *simBroker) crash(how string, down time.Duration) {
	s := b.s
	s.note("broker crashes, %s, for %v", how, down)
	b.up = false
	b.pulls = nil
	for _, p := range s.parties() {
		p.disconnect()
	}
	s.after(down, func() {
		b.up = true
		b.dedupe = make(map[string]uint64)
		switch how {
		case "empty":
			b.stream, b.last = make(map[uint64]*simStored), 0
			b.epoch++
		case "older":
			s.rolledAt = s.now
			snap := b.history[max(0, len(b.history)-1-s.rng.IntN(4))]
			b.stream, b.last = make(map[uint64]*simStored), snap.last
			for seq, m := range snap.stream {
				b.stream[seq] = &m
			}
		}
		s.note("broker is up, %d stored", len(b.stream))
		for _, p := range s.parties() {
			p.reconnect()
		}
	})
}

// parties are all that have a connection.
func (s *sim) parties() (list []*party) {
	for _, o := range s.owners {
		list = append(list, &o.party)
	}
	for _, n := range s.nodes {
		list = append(list, &n.party)
	}
	return list
}

func (s *sim) onConnection(p *party, up bool) {
	for _, o := range s.owners {
		if p == &o.party {
			p.run(func() { o.judge.connection(s.now, up); o.carryOut() })
			if up {
				o.recover()
			}
		}
	}
	for _, n := range s.nodes {
		if p == &n.party {
			p.run(func() { n.hand.connection(s.now, up); n.carryOut() })
		}
	}
}

func (p *party) disconnect() {
	if !p.connected {
		return
	}
	p.connected = false
	p.epoch++
	p.s.onConnection(p, false)
}

func (p *party) reconnect() {
	if p.dead || p.cut || p.connected {
		return
	}
	p.s.after(p.s.between(0, time.Second), func() {
		if p.dead || p.cut || p.connected || !p.s.broker.up {
			return
		}
		p.connected = true
		p.s.onConnection(p, true)
		for _, do := range p.replay {
			p.s.after(p.s.between(0, 3*time.Second), do)
		}
		p.replay = nil
	})
}

func (p *party) cutFor(d time.Duration) {
	p.s.note("%s is cut off for %v", p.name, d)
	p.cut = true
	p.mark()
	p.s.after(p.s.between(0, 3*time.Second), func() { // until the broker notices
		if p.cut {
			p.disconnect()
		}
	})
	p.s.after(d, func() {
		p.cut = false
		p.mark()
		p.disconnect()
		if p.s.broker.up {
			p.reconnect()
		}
	})
}

func (p *party) pauseFor(d time.Duration) {
	if p.paused || p.dead {
		return
	}
	p.s.note("%s is stopped for %v", p.name, d)
	p.paused = true
	p.mark()
	p.s.after(d, func() {
		if p.dead {
			return
		}
		p.s.note("%s goes on", p.name)
		p.paused = false
		p.mark()
		inbox := p.inbox
		p.inbox = nil
		if p.late != nil && p.s.rng.IntN(2) == 0 { // its timers before its sockets
			p.late()
		}
		for _, do := range inbox {
			p.run(do)
		}
	})
}

func (p *party) kill() {
	p.dead = true
	p.connected = false
	p.epoch++
	p.mark()
	p.s.note("%s is killed", p.name)
}

// simOwner is a process that submits tasks.
type simOwner struct {
	party
	id      string
	judge   *judge
	looking bool // soon it asks which stream there is
	next    uint64
	tasks   map[uint64]*simTask
	slow    time.Duration // for one result; it keeps up with everything else
	free    time.Duration // when it has taken the last one
	taken   map[uint64]bool
}

type simTask struct {
	no        uint64
	delivery  pool.Delivery
	length    time.Duration
	size      int64
	killer    bool
	cancelled bool
	settled   int
	at        time.Duration
	outcome   *pool.Reply
	submitted time.Duration
}

func (s *sim) newOwner(name string) *simOwner {
	s.names++
	o := &simOwner{
		party: party{s: s, name: name, connected: true}, id: fmt.Sprintf("%s#%d", name, s.names),
		tasks: make(map[uint64]*simTask), taken: make(map[uint64]bool),
	}
	if s.mutant == mutantIdentityByName {
		o.id = name
	}
	o.judge = newJudge(o.id, s.limits, s.mutant)
	o.judge.stream(s.now, s.broker.epochName())
	o.late = o.look
	s.owners = append(s.owners, o)
	o.tick()
	return o
}

func (o *simOwner) tick() {
	if o.dead {
		return
	}
	if !o.paused { // a process that is stopped misses its ticks; they do not queue up
		o.look()
	}
	o.s.after(100*time.Millisecond, o.tick)
}

// recover asks which stream there is, after a while.
func (o *simOwner) recover() {
	if o.looking {
		return
	}
	o.looking = true
	o.s.after(o.s.between(0, 2*time.Second), func() {
		o.looking = false
		o.run(func() {
			o.s.toBroker(&o.party, func() {
				epoch := o.s.broker.epochName()
				o.s.fromBroker(&o.party, func() { o.judge.stream(o.s.now, epoch); o.carryOut() })
			})
		})
	})
}

func (o *simOwner) look() {
	o.judge.tick(o.s.now)
	o.carryOut()
}

func (o *simOwner) submit(t *simTask) {
	o.next++
	t.no, t.submitted = o.next, o.s.now
	o.tasks[t.no] = t
	o.judge.submit(o.s.now, t.no, t.delivery)
	o.carryOut()
}

func (o *simOwner) node(id string) *simNode {
	for _, n := range o.s.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// carryOut does what the judge wants done.
func (o *simOwner) carryOut() {
	s := o.s
	for _, e := range o.judge.take() {
		switch e.Kind {
		case effectPublish:
			t := o.tasks[e.Task]
			env := envelope{Owner: o.id, No: e.Task, Try: e.Try, Ask: e.Ask, Delivery: t.delivery, Task: "task"}
			id := fmt.Sprintf("%s.%d.%d", o.id, e.Task, e.Try)
			if s.mutant == mutantTrustsDedupe {
				id, env.Ask = fmt.Sprintf("%s.%d", o.id, e.Task), false
			}
			var confirmed bool
			p := publishing{e.Task, e.Try, e.Epoch}
			s.toBroker(&o.party, func() {
				seq := s.broker.publish(env, id, e.Epoch)
				s.fromBroker(&o.party, func() {
					confirmed = true
					o.judge.published(s.now, p, seq)
					o.carryOut()
					if seq == 0 {
						o.recover()
					}
				})
			})
			s.after(time.Second, func() {
				o.run(func() {
					if !confirmed {
						o.judge.published(s.now, p, 0)
						o.carryOut()
					}
				})
			})
		case effectSend:
			s.note("%s tells %s: %s", o.id, e.Node, orderWords(e.Order))
			o.send(e.Node, e.Order)
		case effectPing:
			o.ping(e)
		case effectNak:
			s.note("%s naks %s", o.id, e.Ack)
			s.toBroker(&o.party, func() { s.broker.nak(e.Ack, e.Delay) })
		case effectNakSeq:
			s.toBroker(&o.party, func() { s.broker.nak(fmt.Sprintf("%d.%d", s.broker.epoch, e.Seq), 0) })
		case effectGet:
			s.toBroker(&o.party, func() {
				m := s.broker.stream[e.Seq]
				there := m != nil && m.env.Owner == o.id && m.env.No == e.Task
				delivered := there && m.delivered > 0
				s.fromBroker(&o.party, func() { o.judge.stored(s.now, e.Task, e.Seq, there, delivered); o.carryOut() })
			})
		case effectDelete:
			s.toBroker(&o.party, func() { delete(s.broker.stream, e.Seq) })
		case effectSettle:
			o.settle(o.tasks[e.Task], e.Outcome)
		}
	}
}

func (o *simOwner) settle(t *simTask, outcome *pool.Reply) {
	if t == nil {
		o.s.violation("%s settles a task that it has not", o.id)
		return
	}
	t.settled++
	t.outcome, t.at = outcome, o.s.now
	o.s.note("%s.%d settles: %v", o.id, t.no, outcome.Err)
	if t.settled > 1 {
		o.s.violation("%s.%d settles %d times", o.id, t.no, t.settled)
	}
	if len(outcome.Payload) > 0 && string(outcome.Payload) != t.value(o) {
		o.s.violation("%s.%d has the outcome of another task: %s", o.id, t.no, outcome.Payload)
	}
	if isLost(outcome.Err) && t.delivery == pool.AtMostOnce {
		o.s.checkLost(o, t)
	}
	if isLost(outcome.Err) && t.delivery == pool.AtLeastOnce && !t.killer && o.s.endsWith(t) < 4 {
		o.s.violation("%s.%d, which killed nobody, is lost: %v", o.id, t.no, outcome.Err)
	}
}

// value is what only this owner's task of that number can have for a value.
func (t *simTask) value(o *simOwner) string {
	return fmt.Sprintf("%s/%d/%v", o.name, t.no, t.submitted)
}

func (o *simOwner) send(node string, ord order) {
	n := o.node(node)
	o.s.toBroker(&o.party, func() {
		if n != nil {
			o.s.fromBroker(&n.party, func() { n.hand.obey(o.s.now, ord); n.carryOut() })
		}
	})
}

func (o *simOwner) ping(e effect) {
	n, s := o.node(e.Node), o.s
	s.toBroker(&o.party, func() {
		if n != nil && n.connected && s.now >= n.routeDown {
			s.fromBroker(&n.party, func() { n.hand.obey(s.now, e.Order); n.carryOut() })
			return
		}
		confirmed := n == nil || s.now >= n.routeDown
		s.fromBroker(&o.party, func() {
			s.note("%s is refused by %s (confirmed: %v)", o.id, e.Node, confirmed)
			o.judge.refused(s.now, e.Node, confirmed)
			o.carryOut()
		})
	})
}

// simNode is a process that runs tasks.
type simNode struct {
	party
	id        string
	label     string
	joined    time.Duration
	hand      *hand
	workers   int
	pulling   bool
	pulls     int // that were made
	expects   int // deliveries until the present one is filled
	stuck     bool
	running   map[taskKey]*simRun
	routeDown time.Duration
	killer    bool // a task killed it
}

// simRun is one execution.
type simRun struct {
	node     *simNode
	key      taskKey
	task     *simTask
	began    time.Duration
	ended    time.Duration // 0: it has not
	finished bool          // and was not cancelled
}

func (s *sim) newNode(label string, workers int) *simNode {
	s.names++
	n := &simNode{
		party: party{s: s, name: "node " + label, connected: s.broker.up}, joined: s.now,
		id: fmt.Sprintf("%s~%d", label, s.names), label: label, workers: workers,
	}
	n.name = n.id
	n.hand = newHand(n.id, label, "host-"+label, workers, s.limits, s.mutant)
	n.hand.credit = 10_000
	n.running = make(map[taskKey]*simRun)
	s.nodes = append(s.nodes, n)
	if !n.connected {
		n.hand.connection(s.now, false)
	}
	n.tick()
	return n
}

func (n *simNode) tick() {
	if n.dead {
		return
	}
	if !n.paused {
		n.hand.tick(n.s.now)
		n.carryOut()
	}
	n.s.after(100*time.Millisecond, n.tick)
}

func (n *simNode) delivered(d delivery) {
	if n.expects--; n.expects == 0 {
		n.pulling = false
	}
	n.hand.deliver(n.s.now, d)
	n.carryOut()
	n.s.after(n.s.between(0, 10*time.Millisecond), func() {
		n.run(func() {
			n.hand.note()
			n.carryOut()
		})
	})
}

func (n *simNode) pull() {
	free := n.hand.room()
	if n.pulling || free <= 0 || !n.connected || n.dead || n.paused || n.stuck {
		return
	}
	n.pulling, n.expects = true, free
	n.pulls++
	epoch, pull := n.epoch, n.pulls
	n.s.toBroker(&n.party, func() {
		n.s.broker.pulls = append(n.s.broker.pulls, &simPull{n, free, n.s.now + 2*time.Second})
		n.s.broker.serve()
	})
	n.s.after(2*time.Second+100*time.Millisecond, func() {
		n.run(func() {
			if pull != n.pulls || !n.pulling {
				return
			}
			n.pulling = false
			n.stuck = n.s.mutant == mutantOnePull && epoch != n.epoch
			n.pull()
		})
	})
}

func (n *simNode) carryOut() {
	s := n.s
	for _, e := range n.hand.take() {
		switch e.Kind {
		case handReport:
			n.reportTo(e.Owner, e.Report)
		case handHello:
			for _, o := range s.owners {
				n.reportTo(o.id, e.Report)
			}
		case handAck:
			s.note("%s acks %s", n.id, e.Ack)
			s.toBroker(&n.party, func() { s.broker.ack(e.Ack) })
		case handProgress:
			s.toBroker(&n.party, func() { s.broker.progress(e.Ack) })
		case handStart:
			n.begin(e.Key)
		case handStop:
			if r := n.running[e.Key]; r != nil {
				r.ended = s.now
				delete(n.running, e.Key)
			}
		}
	}
	n.checkCredit()
	n.pull()
}

func (n *simNode) reportTo(owner string, r report) {
	s := n.s
	s.note("%s reports to %s: %s", n.id, owner, reportWords(r))
	s.toBroker(&n.party, func() {
		if s.now < n.routeDown {
			return
		}
		for _, o := range s.owners {
			if o.id == owner && !o.dead && r.Kind == reportResult && o.slow > 0 {
				if no := r.Items[0].No; !o.taken[no] {
					o.taken[no], o.free = true, max(o.free, s.now)+o.slow
					s.after(o.free-s.now, func() { o.run(func() { o.judge.hear(s.now, r); o.carryOut() }) })
				}
			} else if o.id == owner && !o.dead {
				s.fromBroker(&o.party, func() { o.judge.hear(s.now, r); o.carryOut() })
			}
		}
	})
}

// begin starts an execution, after looking whether it may.
func (n *simNode) begin(k taskKey) {
	s := n.s
	var t *simTask
	var owner *simOwner
	for _, o := range s.owners {
		if o.id == k.owner && (s.mutant != mutantIdentityByName || !o.dead) {
			owner, t = o, o.tasks[k.no]
		}
	}
	if t == nil {
		return
	}
	s.note("%s begins %v", n.id, k)
	s.checkRun(n, owner, k, t)
	r := &simRun{node: n, key: k, task: t, began: s.now}
	s.runs = append(s.runs, r)
	n.running[k] = r
	finish := func() {
		if n.running[k] != r {
			return
		}
		r.ended, r.finished = s.now, true
		delete(n.running, k)
		n.hand.finished(s.now, k, &pool.Reply{Kind: pool.ReplyValue, Payload: []byte(t.value(owner))}, t.size)
		n.carryOut()
	}
	s.after(t.length, func() {
		if t.killer && !n.dead && n.running[k] == r {
			s.note("%s is killed by %v", n.id, k)
			s.killNode(n)
			n.killer = true
			return
		}
		n.run(finish)
	})
}

// killNode ends a node; another process takes its place after a while.
func (s *sim) killNode(n *simNode) {
	n.kill()
	for _, r := range n.running {
		r.ended = s.now
	}
	s.after(s.between(300*time.Millisecond, 2*time.Second), func() { s.newNode(n.label, n.workers) })
}

func orderWords(o order) string {
	return fmt.Sprintf("%s %d seq %d q%d", [...]string{"", "ping", "run", "leave", "drop", "accept"}[o.Kind], o.No,
		o.Seq, o.Question)
}

func reportWords(r report) string {
	return fmt.Sprintf("%s %+v", [...]string{"", "hand", "result", "return", "pong", "hello", "bye"}[r.Kind], r.Items)
}
