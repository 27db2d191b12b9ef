package fleet

import (
	"context"
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

// Fleet is where a program submits tasks that run on many machines: a [pool.Runner]. Make it with [Dial] and end it with Close. It
// holds what it has submitted until that has settled, and what has not settled when the program ends is lost with it. Safe for
// concurrent use.
type Fleet struct {
	*pool.Remote
	o *owner
}

// Dial connects to a fleet's broker and makes the queue if it is not there. ctx bounds that and nothing after it. It needs no node to
// be there. Errors: what Config.Validate finds; no broker, or refused credentials; ErrBrokerTooOld; ErrNoJetStream; ErrNotOurs.
func Dial(ctx context.Context, c Config) (*Fleet, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	o := &owner{
		cfg: c, id: newID(), log: c.Logger, sent: make(map[uint64]*outgoing), byMessage: make(map[uint64]uint64),
		changed: make(chan struct{}), ended: make(chan struct{}),
	}
	noNodes := c.NoNodes
	if noNodes < 0 {
		noNodes = 0
	}
	o.judge = newJudge(o.id, limits{NoNodes: noNodes, Budget: c.NodeBudget}, noMutant)
	var err error
	if o.link, err = connect(ctx, c.Fleet, "respawn owner "+o.id, c.Servers, c.Options, o.connection); err != nil {
		return nil, err
	}
	o.link.makes, o.link.config, o.link.limits = true, streamConfig(c), o.judge.limits
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
	context.AfterFunc(o.link.rights, o.denied)
	o.wg.Add(1)
	go o.run()
	return &Fleet{pool.NewRemote(o), o}, nil
}

// Nodes lists the nodes that have told of themselves, by name.
func (f *Fleet) Nodes() []NodeInfo { return f.o.nodeInfos() }

// NodeInfo is what an owner knows of a node.
type NodeInfo struct {
	ID, Name, Host string
	Workers        int
	State          string // "alive", "suspect", "gone" or "ended"
	Held           int    // this owner's tasks that it has
}

// outgoing is a task that has not settled.
type outgoing struct {
	message  *pool.Message
	envelope envelope
	done     func(*pool.Reply)
}

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
	unsure     atomic.Bool // whether the stream is there

	mu        sync.Mutex
	judge     *judge
	last      uint64
	sent      map[uint64]*outgoing // by number
	byMessage map[uint64]uint64    // the number of each message ID
	closed    bool
	changed   chan struct{} // closed and replaced when a task has settled, or nodes have come
}

// listen subscribes to what an owner is told.
func (o *owner) listen() error {
	base := o.link.owner(o.id)
	subs := map[string]nats.MsgHandler{
		base: func(m *nats.Msg) { o.heard(m) },
		base + ".pub.*.*": func(m *nats.Msg) {
			part := strings.Split(m.Subject, ".")
			no, _ := strconv.ParseUint(part[len(part)-2], 10, 64)
			try, _ := strconv.Atoi(part[len(part)-1])
			seq := stored(m)
			if seq == 0 {
				go o.recover()
			}
			o.with(func(now time.Duration) { o.judge.published(now, no, try, seq) })
		},
		base + ".pong.*": func(m *nats.Msg) {
			if refusedBy(m) {
				node := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
				confirmed := len(o.link.nc.Servers()) == 1
				o.with(func(now time.Duration) { o.judge.refused(now, node, confirmed) })
			}
		},
		o.link.nodes(): func(m *nats.Msg) { o.heard(m) },
	}
	for subject, handle := range subs {
		s, err := o.link.nc.Subscribe(subject, handle)
		if err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
		_ = s.SetPendingLimits(-1, -1) // their number is that of outstanding tasks
	}
	return nil
}

// heard takes reports.
func (o *owner) heard(m *nats.Msg) {
	rs, err := decodeReports(m.Data)
	if err != nil {
		o.log.Warn("a message that no node should send", "subject", m.Subject, "error", err)
		return
	}
	o.with(func(now time.Duration) {
		for _, r := range rs {
			o.judge.hear(now, r)
		}
	})
}

// with lets the judge decide something, and carries it out.
func (o *owner) with(decide func(now time.Duration)) {
	o.mu.Lock()
	decide(clock())
	settled := o.carryOut()
	o.mu.Unlock()
	for _, s := range settled {
		s.done(s.reply)
	}
}

type settlement struct {
	done  func(*pool.Reply)
	reply *pool.Reply
}

// carryOut does what the judge wants done, in its order, and gives what has settled. o.mu is held.
func (o *owner) carryOut() (settled []settlement) {
	orders := make(map[string][]order)
	base := o.link.owner(o.id)
	for _, e := range o.judge.take() {
		switch e.Kind {
		case effectPublish:
			out := o.sent[e.Task]
			if out == nil {
				continue
			}
			out.envelope.Try, out.envelope.Ask = e.Try, e.Ask
			if err := o.link.publish(&out.envelope, fmt.Sprintf("%s.pub.%d.%d", base, e.Task, e.Try)); err != nil {
				o.judge.published(o.judge.now, e.Task, e.Try, 0)
			}
		case effectSend:
			orders[e.Node] = append(orders[e.Node], e.Order)
		case effectPing:
			_ = o.link.nc.PublishRequest(o.link.node(e.Node), base+".pong."+e.Node, encode([]order{e.Order}))
		case effectNak:
			o.link.nak(e.Ack, e.Delay)
		case effectSettle:
			if out := o.sent[e.Task]; out != nil {
				delete(o.sent, e.Task)
				delete(o.byMessage, out.message.ID)
				settled = append(settled, settlement{out.done, e.Outcome})
			}
		default:
			go o.ask(e)
		}
	}
	for _, node := range sortedKeys(orders) {
		_ = o.link.nc.Publish(o.link.node(node), encode(orders[node]))
	}
	if len(settled) > 0 {
		o.notify()
	}
	return settled
}

// ask does what needs an answer of the broker.
func (o *owner) ask(e effect) {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	switch e.Kind {
	case effectGet:
		there, delivered, err := o.link.look(ctx, e.Seq, msgID(o.id, e.Task, e.Try))
		if err == nil {
			o.with(func(now time.Duration) { o.judge.stored(now, e.Task, e.Seq, there, delivered) })
		}
	case effectNakSeq:
		o.link.nakSeq(ctx, e.Seq)
	case effectDelete:
		o.link.remove(ctx, e.Seq)
	}
}

// notify wakes who waits for a change. o.mu is held.
func (o *owner) notify() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// run tells the judge the time.
func (o *owner) run() {
	defer o.wg.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	nodes := 0
	for {
		select {
		case <-tick.C:
			if o.unsure.Load() {
				go o.recover()
			}
			o.with(func(now time.Duration) {
				o.judge.tick(now)
				if n := o.judge.workers(); n != nodes {
					nodes = n
					o.notify()
				}
			})
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
	o.with(func(now time.Duration) { o.judge.connection(now, up) })
}

// denied gives everything up: the broker does not let this user do what it needs.
func (o *owner) denied() {
	o.with(func(now time.Duration) {
		for _, no := range sortedKeys(o.sent) {
			o.judge.cancel(now, no, context.Cause(o.link.rights))
		}
	})
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
	renewed, err := o.link.ensure(ctx)
	if err != nil {
		o.log.Debug("the fleet's stream cannot be had just now", "error", err)
		return
	}
	o.unsure.Store(false)
	if renewed {
		o.log.Warn("the broker has lost the queue: what nobody has is stored again")
		o.with(o.judge.renewed)
	}
}

// Send publishes a task. It is the pool's, for [pool.NewRemote].
func (o *owner) Send(ctx context.Context, m *pool.Message, done func(*pool.Reply)) error {
	if m.Slot != 0 {
		return fmt.Errorf("%w: a fleet has no slots: leave out pool.OnSlot", pool.ErrNoSuchSlot)
	}
	if m.Route != "" && m.Route != queueName {
		return fmt.Errorf("fleet: no queue %q", m.Route)
	}
	if most := o.link.nc.MaxPayload() - 4096; int64(len(m.Arg)) > most {
		return fmt.Errorf("%w: argument of task %q: %d bytes, at most %d in this fleet", pool.ErrPayloadTooLarge, m.Task, len(m.Arg), most)
	}
	env := envelope{
		Owner: o.id, Task: m.Task, Arg: m.Arg, External: m.External, Key: m.Key, Timeout: m.Timeout, Delivery: m.Delivery, Budgets: m.Budgets,
		Attempts: m.Attempts, Exits: last(m.Exits),
	}
	if !m.HasDelivery {
		env.Delivery = o.cfg.Delivery
	}
	if env.Timeout == 0 {
		env.Timeout = o.cfg.Timeout
	}
	if env.Budgets == (pool.Budgets{}) {
		env.Budgets = o.cfg.Budgets
	}
	for {
		if err := context.Cause(o.link.rights); err != nil {
			return err
		}
		o.mu.Lock()
		switch {
		case o.closed:
			o.mu.Unlock()
			return pool.ErrClosed
		case o.cfg.QueueLimit == 0 || len(o.sent) < o.cfg.QueueLimit:
			o.last++
			env.No = o.last
			o.sent[env.No], o.byMessage[m.ID] = &outgoing{m, env, done}, env.No
			o.judge.submit(clock(), env.No, env.Delivery)
			settled := o.carryOut()
			o.mu.Unlock()
			for _, s := range settled {
				s.done(s.reply)
			}
			return nil
		}
		changed := o.changed
		o.mu.Unlock()
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
	o.with(func(now time.Duration) {
		if no, ok := o.byMessage[id]; ok {
			o.judge.cancel(now, no, context.Canceled)
		}
	})
}

// Window is twice what the nodes' workers take, or 64 while there are none.
func (o *owner) Window() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.judge.workers(); n > 0 {
		return max(2*n, 64)
	}
	return 64
}

// Changed is closed when tasks have settled or nodes have come.
func (o *owner) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

// Drain takes no new tasks and waits until the accepted ones have settled; then the connection is closed.
func (o *owner) Drain(ctx context.Context) error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	for {
		o.mu.Lock()
		left, changed := len(o.sent), o.changed
		o.mu.Unlock()
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
	o.with(func(now time.Duration) {
		for _, no := range sortedKeys(o.sent) {
			o.judge.cancel(now, no, pool.ErrClosed)
		}
	})
	purge, stop := context.WithTimeout(context.Background(), apiTimeout)
	defer stop()
	o.link.purge(purge, o.id)
	o.end()
	return fmt.Errorf("%w: not drained within 30s, and what was left was given up: %w", pool.ErrClosed, err)
}

// end closes the connection, once what was said last has left.
func (o *owner) end() {
	o.endedOnce.Do(func() {
		close(o.ended)
		o.wg.Wait()
		_ = o.link.nc.FlushTimeout(time.Second)
		o.link.nc.Close()
	})
}

func (o *owner) nodeInfos() (list []NodeInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range sortedKeys(o.judge.nodes) {
		n := o.judge.nodes[id]
		info := NodeInfo{ID: id, Name: n.name, Host: n.host, Workers: n.workers, State: n.state.String()}
		for _, t := range o.judge.order {
			if !t.settled && t.at(n) != nil {
				info.Held++
			}
		}
		list = append(list, info)
	}
	return list
}
