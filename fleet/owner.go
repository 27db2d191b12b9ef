package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/pool"
)

// Fleet is where a program submits tasks that run on many machines: a [pool.Runner]. Make it with [Dial] and end it
// with Close. It holds what it has submitted until that has settled, and what has not settled when the program ends is
// lost with it. Safe for concurrent use.
type Fleet struct {
	*pool.Remote
	o *owner
}

// Dial connects to a fleet's broker and makes the queue if it is not there. ctx bounds that and nothing after it. It
// needs no node to be there. Errors: what Config.Validate finds; ErrNoBroker, or refused credentials; ErrBrokerTooOld;
// ErrNoJetStream; ErrNotOurs.
func Dial(ctx context.Context, c Config) (*Fleet, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	o := &owner{cfg: c, id: newID(), log: c.Logger, ended: make(chan struct{})}
	o.st = ownerState{
		owner: o, sent: make(map[uint64]*outgoing), byMessage: make(map[uint64]uint64),
		asking: make(map[string]bool), changed: make(chan struct{}),
	}
	noNodes, unknown := c.NoNodes, min(c.NoNodes, 30*time.Second)
	if noNodes < 0 {
		noNodes, unknown = 0, 30*time.Second
	}
	o.st.judge = newJudge(o.id, limits{NoNodes: noNodes, Unknown: unknown, Budget: c.Budgets.Nodes}, noMutant)
	var err error
	if o.link, err = connect(ctx, c.Fleet, "respawn owner "+o.id, c.Servers, c.Options, o.connection); err != nil {
		return nil, err
	}
	o.st.results = newGatherer(o.link.part(), o.st.wantPart)
	o.link.makes, o.link.config, o.link.limits = true, streamConfig(c), o.st.judge.limits
	if err = o.listen(); err == nil {
		err = o.link.settle(ctx)
	}
	if err == nil {
		err = o.link.allowed()
	}
	if err != nil {
		o.link.nc.Close()
		return nil, err
	}
	if is, want := o.link.kept(), o.link.config; is.Replicas < want.Replicas || is.Storage > want.Storage {
		o.log.Warn("the queue is kept less safely than Config asks for: an owner with other settings has made it, "+
			"and it stays as it is",
			"replicas", is.Replicas, "storage", is.Storage, "Config.Replicas", want.Replicas,
			"Config.InMemory", c.InMemory)
	}
	o.with(func(st *ownerState, now time.Duration) { st.judge.stream(now, o.link.epoch()) })
	context.AfterFunc(o.link.rights, o.denied)
	o.wg.Add(1)
	go o.run()
	return &Fleet{pool.NewRemote(o), o}, nil
}

// ID is this owner's identity: one Dial, never used again. With a future's TaskID it says which task is meant, to
// respawn-fleet status.
func (f *Fleet) ID() string { return f.o.id }

// Nodes lists the nodes that have told of themselves.
func (f *Fleet) Nodes() []NodeInfo { return f.o.nodeInfos() }

// Stats counts what an owner has had to do, since Dial, that is not every task's course.
type Stats struct {
	// times that a task was stored again, since the broker had lost it, or handed it to nobody
	Repaired uint64 `json:"repaired"`
	// results that came when their task had settled, or from a node that had no right to it: they changed nothing
	Stale uint64 `json:"stale"`
	// tasks that it gave up: their budget of nodes was spent, they may have started at most once, or no node was there
	// that knows them
	Abandoned uint64 `json:"abandoned"`
}

// Stats are as of now.
func (f *Fleet) Stats() Stats {
	st := f.o.lock()
	defer st.mu.Unlock()
	return st.judge.stats
}

// NodeInfo is what an owner knows of a node.
type NodeInfo struct {
	ID      string `json:"id"` // of one process, never used again
	Name    string `json:"name"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`     // on that host
	Workers int    `json:"workers"` // processes
	State   string `json:"state"`   // "alive", "suspect", "gone" or "ended"
	Held    int    `json:"held"`    // this owner's tasks that it has, as far as the owner knows
	// those that it had when it was pinged last, by its own word, with what the owner has done with
	Listed int `json:"listed"`

	Silent   Milliseconds `json:"silent_ms"` // since it was heard last
	Refusals int          `json:"refusals"`  // of the broker since then: nobody listens at its address
	// the ID of the task that runs there alone, since nodes were lost with it; 0: none
	Suspect uint64 `json:"suspect"`
}

// outgoing is a task that has not settled.
type outgoing struct {
	message  *pool.Message
	envelope envelope
	done     func(*pool.Reply)
	born     time.Duration
	out      bool // at the judge
	settled  bool
}

// What one owner has at its judge, and so in the broker and at nodes, at most; the rest waits here. It is a hundred
// times what keeps a hundred workers busy, and a part of what a queue may hold.
const (
	maxOut      = 16 << 10
	maxOutBytes = 16 << 20
)

// owner is the Transport of a Fleet: it carries out what the judge decides.
type owner struct {
	cfg  Config
	id   string
	log  *slog.Logger
	link *link
	wg   sync.WaitGroup

	ended      chan struct{}
	endedOnce  sync.Once
	recovering atomic.Bool
	cancelled  atomic.Bool // something that was stored: some of it may be there still
	unsure     atomic.Bool // whether the stream is there

	in chan *nats.Msg
	// what the broker says of publishes: nobody is woken for it, and whoever holds the lock for something else takes it
	pubAcks chan *nats.Msg
	subs    struct{ reports, refused, inquiries *nats.Subscription }

	mu sync.Mutex
	st ownerState
}

// ownerState is what owner.mu guards. Whoever has one holds the lock: lock gives it, and st.mu.Unlock takes it back. A
// method of *ownerState is called in a critical section, then; a method of *owner is called outside of one, and may
// take the lock.
type ownerState struct {
	*owner
	watch     watch
	judge     *judge
	last      uint64
	sent      map[uint64]*outgoing // by number
	byMessage map[uint64]uint64    // the number of each message ID
	asking    map[string]bool      // nodes whose own brokers are being asked whether they are there
	// what is not answered yet, by the last part of the subject to which the broker does: few subjects, used again then
	slots     []publishing
	confirms  []string // these subjects
	freeSlots []int
	subject   string // of tasks of an epoch, subjectOf
	subjectOf string
	orders    letters[order]
	accepts   letters[order] // which wait for others
	accepting bool           // soon
	waiting   []*outgoing    // not at the judge yet: enough others are
	results   *gatherer      // results that stayed with their nodes
	out       int            // tasks at the judge
	outBytes  int            // of their arguments
	closed    bool
	changed   chan struct{} // closed and replaced when a task has settled, or nodes have come
}

// listen subscribes to what an owner is told. All of it but confirmations comes to one place, which takes as much at a
// time as is there.
func (o *owner) listen() error {
	o.link.inUse.Store(true)
	base := o.link.owner(o.id)
	// what finds them full is lost, and is told again
	o.in, o.pubAcks = make(chan *nats.Msg, 1<<16), make(chan *nats.Msg, 1<<16)
	var err error
	if _, err = o.link.nc.ChanSubscribe(base+".pub.*", o.pubAcks); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	for subject, sub := range map[string]**nats.Subscription{
		base: &o.subs.reports, base + ".pong.*": &o.subs.refused, o.link.nodes(): &o.subs.reports,
		o.link.asks(): &o.subs.inquiries,
	} {
		if *sub, err = o.link.nc.ChanSubscribe(subject, o.in); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
	}
	o.wg.Add(1)
	go o.receive()
	return nil
}

// receive takes what comes, until the owner ends.
func (o *owner) receive() {
	defer o.wg.Done()
	var batch []*nats.Msg
	for {
		select {
		case m := <-o.in:
			batch = append(batch[:0], m)
		case <-o.ended:
			return
		}
		for more := true; more && len(batch) < 512; {
			select {
			case m := <-o.in:
				batch = append(batch, m)
			default:
				more = false
			}
		}
		o.hear(batch)
	}
}

// hear tells the judge what has come.
func (o *owner) hear(batch []*nats.Msg) {
	var reports [][]report
	for _, m := range batch {
		if m.Sub == o.subs.refused || m.Sub == o.subs.inquiries {
			continue
		}
		rs, err := decodeReports(m.Data)
		if err != nil {
			o.log.Warn("a message that no node should send", "subject", m.Subject, "error", err)
		}
		reports = append(reports, rs)
	}
	var purged []settlement
	o.with(func(st *ownerState, now time.Duration) {
		st.takePubAcks(now) // that a task is stored comes before its result
		for _, m := range batch {
			switch m.Sub {
			case o.subs.refused:
				if refusedBy(m) {
					st.refused(now, m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
				}
			case o.subs.inquiries:
				purged = append(purged, st.inquired(now, m)...)
			}
		}
		for _, rs := range reports {
			for _, r := range rs {
				st.take(now, r)
			}
		}
	})
	for _, s := range purged {
		s.done(s.reply)
	}
}

// take has the judge hear a report, once all of it is here.
func (st *ownerState) take(now time.Duration, r report) {
	switch note := (report{Node: r.Node, Kind: reportHand, Items: r.Items}); {
	case r.Kind == reportPart:
		st.results.come(now, gatherKey{r.Node, r.Items[0].No, r.Piece.Run}, r.Piece)
	case r.Kind == reportWant:
		st.judge.hear(now, note)
		st.givePart(r)
	case r.Kind == reportResult && r.Bytes > 0 && st.sent[r.Items[0].No] != nil:
		st.judge.hear(now, note)
		st.wantResult(now, r)
	default:
		st.judge.hear(now, r)
	}
}

// wantResult gets a result that stayed with its node; then the judge hears of it.
func (st *ownerState) wantResult(now time.Duration, r report) {
	st.results.want(now, gatherKey{r.Node, r.Items[0].No, r.Run}, r.Bytes, func(payload []byte) {
		r.Outcome.Payload = payload
		st.judge.hear(st.judge.now, r)
	})
}

// wantPart asks a node for a part of a result.
func (st *ownerState) wantPart(k gatherKey, p piece) {
	_ = st.link.nc.Publish(st.link.node(k.who),
		encodeOrders([]order{{Owner: st.id, Kind: orderWant, No: k.no, Piece: &p}}))
}

// givePart answers a node that wants a part of an argument; of a task that is not there any more the judge has told it.
func (st *ownerState) givePart(r report) {
	no := r.Items[0].No
	if out := st.sent[no]; out != nil {
		part := order{Owner: st.id, Kind: orderPart, No: no, Piece: r.Piece.of(out.message.Arg, st.link.part())}
		_ = st.link.nc.Publish(st.link.node(r.Node), encodeOrders([]order{part}))
	}
}

// refused takes the broker's word that a node is not there. Another broker than the node's may only have lost its way
// to that one: then the node's own is asked.
func (st *ownerState) refused(now time.Duration, id string) {
	shared := len(st.link.nc.Servers()) == 1
	st.judge.refused(now, id, shared)
	if n := st.judge.nodes[id]; !shared && n != nil && n.state == alive && n.broker != "" && !st.asking[id] {
		st.asking[id] = true
		go st.askItsBroker(id, n.broker)
	}
}

func (o *owner) askItsBroker(id, broker string) {
	refused := o.link.refusedAt(broker, id, append([]nats.Option{nats.NoReconnect()}, o.cfg.Options...))
	o.with(func(st *ownerState, now time.Duration) {
		delete(st.asking, id)
		if refused {
			st.judge.refused(now, id, true)
		}
	})
}

// takePubAcks takes what the broker says of publishes, as much as has come.
func (st *ownerState) takePubAcks(now time.Duration) {
	for {
		select {
		case m := <-st.pubAcks:
			st.stored(now, m)
		default:
			return
		}
	}
}

// stored reads what the broker says of a publish.
func (st *ownerState) stored(now time.Duration, m *nats.Msg) {
	slot, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err != nil || slot < 0 || slot >= len(st.slots) || st.slots[slot] == (publishing{}) {
		return
	}
	p := st.slots[slot]
	st.slots[slot] = publishing{}
	st.freeSlots = append(st.freeSlots, slot)
	seq := stored(m)
	if seq == 0 && !st.unsure.Swap(true) {
		st.log.Warn("the broker does not store a task just now: it is repeated", "answer", string(m.Data))
	}
	st.judge.published(now, p, seq)
}

// lock begins a critical section.
func (o *owner) lock() *ownerState {
	o.mu.Lock()
	return &o.st
}

// with lets the judge decide something, and carries it out.
func (o *owner) with(decide func(st *ownerState, now time.Duration)) {
	st := o.lock()
	now := st.watch.exact()
	decide(st, now)
	settled := st.carryOut(now)
	st.mu.Unlock()
	for _, s := range settled {
		s.done(s.reply)
	}
}

type settlement struct {
	done  func(*pool.Reply)
	reply *pool.Reply
}

// carryOut does what the judge wants done, in its order, and gives what has settled.
func (st *ownerState) carryOut(now time.Duration) (settled []settlement) {
	for effects := st.judge.take(); len(effects) > 0; effects = st.judge.take() {
		for _, e := range effects {
			switch e.Kind {
			case effectPublish:
				st.publish(e)
			case effectSend:
				if e.Order.Kind == orderAccept {
					st.accepts.add(e.Node, e.Order)
				} else {
					st.orders.add(e.Node, e.Order)
				}
			case effectPing:
				_ = st.link.nc.PublishRequest(st.link.node(e.Node), st.link.owner(st.id)+".pong."+e.Node,
					encodeOrders([]order{e.Order}))
			case effectNak:
				st.link.nak(e.Ack, e.Delay)
			case effectSettle:
				settled = st.settle(settled, now, e.Task, e.Outcome)
			default:
				if e.Kind == effectDelete {
					st.cancelled.Store(true)
				}
				go st.ask(e)
			}
		}
		st.feed(now)
	}
	st.orders.each(st.tell)
	st.acceptLater()
	if len(settled) > 0 {
		st.notify()
	}
	return settled
}

func (o *owner) tell(node string, orders []order) {
	_ = o.link.nc.Publish(o.link.node(node), encodeOrders(orders))
}

// acceptLater accepts results once there are many, or soon: nobody waits for that, and each message wakes a broker and
// a node.
func (st *ownerState) acceptLater() {
	switch {
	case st.accepts.count >= manyLater:
		st.accepts.each(st.tell)
	case st.accepts.count > 0 && !st.accepting:
		st.accepting = true
		time.AfterFunc(lazyFor, func() {
			st := st.owner.lock()
			defer st.mu.Unlock()
			st.accepting = false
			st.accepts.each(st.tell)
		})
	}
}

func (st *ownerState) publish(e effect) {
	out := st.sent[e.Task]
	if out == nil {
		return
	}
	out.envelope.Try, out.envelope.Ask = e.Try, e.Ask
	slot := len(st.slots)
	if n := len(st.freeSlots); n > 0 {
		slot, st.freeSlots = st.freeSlots[n-1], st.freeSlots[:n-1]
	} else {
		st.slots = append(st.slots, publishing{})
		st.confirms = append(st.confirms, st.link.owner(st.id)+".pub."+strconv.Itoa(slot))
	}
	if st.subject == "" || st.subjectOf != e.Epoch {
		st.subject, st.subjectOf = st.link.tasks(e.Epoch, st.id), e.Epoch
	}
	p := publishing{e.Task, e.Try, e.Epoch}
	st.slots[slot] = p
	if err := st.link.publish(&out.envelope, st.subject, st.confirms[slot]); err != nil {
		st.slots[slot] = publishing{}
		st.freeSlots = append(st.freeSlots, slot)
		st.judge.published(st.judge.now, p, 0)
	}
}

// settle forgets a task.
func (st *ownerState) settle(settled []settlement, now time.Duration, no uint64, reply *pool.Reply) []settlement {
	out := st.sent[no]
	if out == nil {
		return settled
	}
	delete(st.sent, no)
	delete(st.byMessage, out.message.ID)
	st.results.drop(now, func(k gatherKey) bool { return k.no == no })
	if out.settled = true; out.out {
		st.out--
		st.outBytes -= len(out.envelope.Arg)
	}
	var lost *pool.WorkerLostError
	if errors.As(reply.Err, &lost) && lost.Task == "" { // the judge knows its number alone
		lost.Task = out.envelope.Task
	}
	return append(settled, settlement{out.done, reply})
}

// feed gives the judge what waits, as long as it has room.
func (st *ownerState) feed(now time.Duration) {
	for len(st.waiting) > 0 && (st.out == 0 || st.out < maxOut && st.outBytes < maxOutBytes) {
		out := st.waiting[0]
		st.waiting[0] = nil
		if st.waiting = st.waiting[1:]; out.settled {
			continue
		}
		out.out = true
		st.out++
		st.outBytes += len(out.envelope.Arg)
		st.judge.submit(now, out.envelope.No, out.envelope.Delivery)
		t := st.judge.tasks[out.envelope.No]
		t.born, t.budget = out.born, out.envelope.Budgets.Nodes
	}
}

// cancel settles a task with an error.
func (st *ownerState) cancel(settled []settlement, now time.Duration, no uint64, err error) []settlement {
	if out := st.sent[no]; out != nil && !out.out {
		return st.settle(settled, now, no, &pool.Reply{Err: err})
	}
	st.judge.cancel(now, no, err)
	return settled
}

// cancelAll settles what has not settled with an error.
func (o *owner) cancelAll(err error) {
	var settled []settlement
	o.with(func(st *ownerState, now time.Duration) {
		for _, no := range sortedKeys(st.sent) {
			settled = st.cancel(settled, now, no, err)
		}
	})
	for _, s := range settled {
		s.done(s.reply)
	}
}

// ask does what needs an answer of the broker.
func (o *owner) ask(e effect) {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	switch e.Kind {
	case effectGet:
		there, delivered, err := o.link.look(ctx, e.Seq, o.id, e.Task, e.Try)
		switch {
		case err == nil:
			o.with(func(st *ownerState, now time.Duration) { st.judge.stored(now, e.Task, e.Seq, there, delivered) })
		case errors.Is(err, errNoQueue):
			o.unsure.Store(true)
		}
	case effectNakSeq:
		o.link.nakSeq(ctx, e.Seq)
	case effectDelete:
		o.link.remove(ctx, e.Seq)
	}
}

// notify wakes who waits for a change.
func (st *ownerState) notify() {
	close(st.changed)
	st.changed = make(chan struct{})
}

// run tells the judge the time.
func (o *owner) run() {
	defer o.wg.Done()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	nodes := 0
	for {
		select {
		case <-tick.C:
			o.with(func(st *ownerState, now time.Duration) {
				st.takePubAcks(now)
				st.judge.tick(now)
				st.results.drop(now,
					func(k gatherKey) bool { n := st.judge.nodes[k.who]; return n == nil || n.state >= gone })
				st.results.tick(now)
				if n := st.judge.workers(); n != nodes {
					nodes = n
					st.notify()
				}
			})
			if o.unsure.Load() {
				go o.recover()
			}
		case <-o.ended:
			return
		}
	}
}

// connection is told when the connection to the broker is lost, or is back.
func (o *owner) connection(up bool) {
	select {
	case <-o.ended:
		return
	default:
	}
	if up {
		o.recover()
	}
	o.with(func(st *ownerState, now time.Duration) { st.judge.connection(now, up) })
}

// denied gives everything up: the broker does not let this user do what it needs.
func (o *owner) denied() {
	o.cancelAll(context.Cause(o.link.rights))
}

// recover makes the stream anew if the broker has come back without it. Until that is known it is tried again.
func (o *owner) recover() {
	o.unsure.Store(true)
	if !o.recovering.CompareAndSwap(false, true) {
		return
	}
	defer o.recovering.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	epoch, err := o.link.ensure(ctx)
	if err != nil {
		o.log.Debug("the fleet's stream cannot be had just now", "error", err)
		return
	}
	o.unsure.Store(false)
	o.with(func(st *ownerState, now time.Duration) {
		if epoch != st.judge.epoch {
			o.log.Warn("the broker has lost the queue: what nobody has is stored again")
		}
		st.judge.stream(now, epoch)
	})
}

// Send publishes a task. It is the pool's, for [pool.NewRemote].
func (o *owner) Send(ctx context.Context, m *pool.Message, done func(*pool.Reply)) error {
	if m.Slot != 0 {
		return fmt.Errorf("%w: a fleet has no slots: leave out pool.OnSlot", pool.ErrNoSuchSlot)
	}
	if m.Route != "" && m.Route != queueName {
		return fmt.Errorf("fleet: no queue %q", m.Route)
	}
	if len(m.Arg) > maxPayload {
		return fmt.Errorf("%w: argument of task %q: %d bytes, at most %d in a fleet",
			pool.ErrPayloadTooLarge, m.Task, len(m.Arg), maxPayload)
	}
	env := envelope{
		Owner: o.id, Task: m.Task, Arg: m.Arg, External: m.External, Key: m.Key, Timeout: m.Timeout,
		Delivery: m.Delivery, Budgets: m.Budgets,
		Attempts: m.Attempts, Exits: last(m.Exits),
	}
	if len(m.Arg) > o.link.part() {
		env.Arg, env.Size = nil, len(m.Arg)
	}
	if !m.HasDelivery {
		env.Delivery = o.cfg.Delivery
	}
	if env.Timeout == 0 {
		env.Timeout = o.cfg.Timeout
	}
	b, d := &env.Budgets, o.cfg.Budgets
	b.Crashes, b.OOM = cmp.Or(b.Crashes, d.Crashes), cmp.Or(b.OOM, d.OOM)
	b.Killed, b.Nodes = cmp.Or(b.Killed, d.Killed), cmp.Or(b.Nodes, d.Nodes)
	for {
		if err := context.Cause(o.link.rights); err != nil {
			return err
		}
		st := o.lock()
		switch {
		case st.closed:
			st.mu.Unlock()
			return pool.ErrClosed
		case o.cfg.QueueLimit == 0 || len(st.sent) < o.cfg.QueueLimit:
			st.last++
			env.No = st.last
			now := st.watch.about()
			out := &outgoing{message: m, envelope: env, done: done, born: now}
			st.sent[env.No], st.byMessage[m.ID] = out, env.No
			st.waiting = append(st.waiting, out)
			st.feed(now)
			settled := st.carryOut(now)
			st.mu.Unlock()
			for _, s := range settled {
				s.done(s.reply)
			}
			return nil
		}
		changed := st.changed
		st.mu.Unlock()
		if !m.Block {
			return fmt.Errorf("%w: Config.QueueLimit is %d", pool.ErrQueueFull, o.cfg.QueueLimit)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Cancel settles the task of that message.
func (o *owner) Cancel(id uint64) {
	var settled []settlement
	o.with(func(st *ownerState, now time.Duration) {
		if no, ok := st.byMessage[id]; ok {
			settled = st.cancel(settled, now, no, context.Canceled)
		}
	})
	for _, s := range settled {
		s.done(s.reply)
	}
}

// Window is twice what the nodes' workers take, or 64 while there are none.
func (o *owner) Window() int {
	st := o.lock()
	defer st.mu.Unlock()
	if n := st.judge.workers(); n > 0 {
		return max(2*n, 64)
	}
	return 64
}

// Changed is closed when tasks have settled or nodes have come.
func (o *owner) Changed() <-chan struct{} {
	st := o.lock()
	defer st.mu.Unlock()
	return st.changed
}

// Drain takes no new tasks and waits until the accepted ones have settled; then the connection is closed.
func (o *owner) Drain(ctx context.Context) error {
	st := o.lock()
	st.closed = true
	st.mu.Unlock()
	for {
		st := o.lock()
		left, changed := len(st.sent), st.changed
		st.mu.Unlock()
		if left == 0 {
			o.end()
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close is Drain for at most 30 s; what has not settled then fails with pool.ErrClosed, and is taken out of the queue.
func (o *owner) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := o.Drain(ctx)
	if err == nil {
		return nil
	}
	o.cancelAll(pool.ErrClosed)
	o.cancelled.Store(true)
	o.end()
	return fmt.Errorf("%w: not drained within 30s, and what was left was given up: %w", pool.ErrClosed, err)
}

// end closes the connection, once what was said last has left.
func (o *owner) end() {
	o.endedOnce.Do(func() {
		close(o.ended)
		o.wg.Wait()
		if o.cancelled.Load() {
			ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
			o.link.purge(ctx, o.id, 0)
			cancel()
		}
		st := o.lock()
		st.accepts.each(o.tell)
		nodes := sortedKeys(st.judge.nodes)
		st.mu.Unlock()
		for _, node := range nodes {
			_ = o.link.nc.Publish(o.link.node(node), encodeOrders([]order{{Owner: o.id, Kind: orderGone}}))
		}
		_ = o.link.nc.FlushTimeout(time.Second)
		o.link.nc.Close()
	})
}

func (o *owner) nodeInfos() (list []NodeInfo) {
	st := o.lock()
	defer st.mu.Unlock()
	return st.seen(clock())
}
