package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/pool"
)

// Serve runs a fleet's tasks in a pool of this process until ctx ends or the node is told to drain; then it takes
// nothing new, finishes what runs within Node.Grace, gives the rest back to its owners, and returns nil. Nobody is
// blamed for that. Errors: what Node.Validate finds, those of pool.New, and those of Dial.
func Serve(ctx context.Context, n Node) error {
	if err := n.Validate(); err != nil {
		return err
	}
	n = n.withDefaults()
	p, err := pool.New(ctx, n.Pool)
	if err != nil {
		return err
	}
	return errors.Join(ServePool(ctx, p, n), p.Close())
}

// ServePool is Serve with a pool of the caller's, who closes it; Node.Pool does not count.
func ServePool(ctx context.Context, p *pool.Pool, n Node) error {
	n.Pool = pool.Config{}
	if err := n.Validate(); err != nil {
		return err
	}
	n = n.withDefaults()
	s := &server{
		cfg: n, id: newID(), pool: p, program: strconv.FormatUint(p.Fingerprint(), 36), log: n.Logger,
		empty: make(chan struct{}, 1), results: make(chan struct{}, 1), in: make(chan *nats.Msg, 1<<16),
		over: make(chan struct{}),
	}
	s.st = serverState{server: s, runs: make(map[taskKey]uint64), large: make(map[uint64]int)}
	s.st.hand = newHand(s.id, n.Name, hostID(), p.Size(), limits{}, noMutant)
	var err error
	if s.link, err = connect(ctx, n.Fleet, "respawn node "+n.Name+" "+s.id, n.Servers, n.Options,
		s.connection); err != nil {
		return err
	}
	defer s.link.nc.Close()
	s.link.limits = s.st.hand.limits
	s.st.args = newGatherer(s.link.part(), s.st.wantPart)
	var passing *passingError
	look, stop := context.WithTimeout(ctx, lookTimeout)
	defer stop()
	if _, err := s.link.ensure(look); err != nil && !errors.As(err, &passing) {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.link.allowed(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.link.rights, cancel)()
	return errors.Join(s.run(ctx), context.Cause(s.link.rights))
}

// hostID is the machine's identity: the same after a restart of the process.
func hostID() string {
	id, err := os.ReadFile("/etc/machine-id")
	host, _ := os.Hostname()
	if err != nil {
		return host
	}
	return cmp.Or(strings.TrimSpace(string(id)), host) + "/" + host
}

// server is a node: it carries out what the hand wants done.
type server struct {
	cfg     Node
	id      string
	pool    *pool.Pool
	program string // as its hello says it
	log     *slog.Logger
	link    *link
	empty   chan struct{}

	in         chan *nats.Msg // all that comes
	came       []delivery     // what handle was given last, to be filled anew
	results    chan struct{}  // there are some to tell
	over       chan struct{}
	wg         sync.WaitGroup
	recovering atomic.Bool

	mu sync.Mutex
	st serverState
}

// serverState is what server.mu guards, as [ownerState] is for an owner.
type serverState struct {
	*server
	watch   watch
	hand    *hand
	runs    map[taskKey]uint64 // the message ID of each run
	args    *gatherer          // arguments that stayed with their owners
	large   map[uint64]int     // runs with such ones: their sizes
	pulling int                // tasks that open pulls may still bring
	pulled  time.Duration      // when the last of them was opened
	refused time.Duration      // when one was refused last
	mean    time.Duration      // of the handlers' run times, moving
	said    int                // workers, in the last hello
	work    []workStep         // in their order
	worked  []workStep         // what was done last, to be filled anew
	reports letters[report]
	acks    []string // which wait for other messages
	acking  bool     // soon
	working bool     // somebody does them
	noting  bool     // a note is due soon
	ended   bool
}

// workStep starts or stops a run: Kind is handStart, handStop, or handArrived with an argument that was with its owner.
type workStep struct {
	Kind handEffectKind
	Key  taskKey
	Arg  []byte
}

const (
	noteSoon  = 10 * time.Millisecond // until what was started is told of, if it still runs
	pullAgain = 50 * time.Millisecond // after a pull that was refused
	batchMax  = 512                   // messages that are taken at a time
)

// messageIDs are of all nodes of this process, which may share a pool.
var messageIDs atomic.Uint64

// claim takes the node's name, which no other process on this host may have: a new one of it is the proof that the old
// one has ended.
func (s *server) claim(ctx context.Context) error {
	subject := s.link.name(s.cfg.Name, hostID())
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// Whoever has the name is subscribed as long as its process lives, also while that is stopped, and answers nothing.
	if _, err := s.link.nc.RequestWithContext(ctx, subject, nil); !errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("%w (%q)", ErrNameTaken, s.cfg.Name)
	}
	_, err := s.link.nc.Subscribe(subject, func(*nats.Msg) {})
	return err
}

// listen subscribes to what a node is told and to what its pulls bring. All of it comes to one place, which takes as
// much at a time as is there.
func (s *server) listen() error {
	s.link.inUse.Store(true)
	base := s.link.node(s.id)
	for _, subject := range []string{base, base + ".pull", s.link.asks()} {
		if _, err := s.link.nc.ChanSubscribe(subject, s.in); err != nil {
			return fmt.Errorf("fleet: %w", err)
		}
	}
	s.wg.Add(2)
	go s.receive(base)
	go s.tell()
	return nil
}

// receive takes what comes, until the node ends.
func (s *server) receive(orders string) {
	defer s.wg.Done()
	var batch []*nats.Msg
	for {
		select {
		case m := <-s.in:
			batch = append(batch[:0], m)
		case <-s.over:
			return
		}
		for more := true; more && len(batch) < batchMax; {
			select {
			case m := <-s.in:
				batch = append(batch, m)
			default:
				more = false
			}
		}
		s.handle(batch, orders)
	}
}

// handle has the hand obey orders and take deliveries, in the order in which they came.
func (s *server) handle(batch []*nats.Msg, orders string) {
	var steps []func(st *serverState, now time.Duration)
	s.came = slices.Grow(again(s.came), len(batch))
	from := 0
	deliver := func() {
		if got := s.came[from:]; len(got) > 0 {
			steps = append(steps, func(st *serverState, now time.Duration) {
				st.pulling = max(st.pulling-len(got), 0)
				st.hand.deliver(now, got...)
			})
		}
		from = len(s.came)
	}
	for _, m := range batch {
		if m.Subject == orders {
			deliver()
			given, err := decodeOrders(m.Data)
			if err != nil {
				s.log.Warn("a message that no owner should send", "error", err)
			}
			steps = append(steps, func(st *serverState, now time.Duration) {
				for _, o := range given {
					st.hand.obey(now, o)
					switch o.Kind {
					case orderWant:
						st.givePart(o)
					case orderPart:
						st.args.come(now, gatherKey{who: o.Owner, no: o.No}, o.Piece)
					}
				}
			})
			continue
		}
		if m.Subject == s.link.asks() {
			steps = append(steps, func(st *serverState, _ time.Duration) { st.hand.hello = 0 })
			continue
		}
		s.came = append(s.came, delivery{})
		ok, over := fetched(m, &s.came[len(s.came)-1])
		if !ok {
			s.came = s.came[:len(s.came)-1]
		}
		switch {
		case ok:
		case over:
			deliver()
			steps = append(steps, func(st *serverState, now time.Duration) { st.pullEnded(now, m) })
		case m.Reply != "":
			s.log.Warn("a stored message that is no task", "subject", m.Subject)
			s.link.ack(m.Reply)
		}
	}
	deliver()
	s.with(func(st *serverState, now time.Duration) {
		for _, step := range steps {
			step(st, now)
		}
		st.noteLater()
	})
	s.doWork()
}

// noteLater has what was started told of soon.
func (st *serverState) noteLater() {
	if len(st.hand.fresh) == 0 || st.noting {
		return
	}
	st.noting = true
	time.AfterFunc(noteSoon, func() {
		st.server.with(func(st *serverState, _ time.Duration) {
			st.noting = false
			st.hand.note()
		})
	})
}

// pullEnded takes the end of a pull: its time, or that the queue is not there any more, or somewhere else.
func (st *serverState) pullEnded(now time.Duration, m *nats.Msg) {
	if m.Header.Get("Status") == "408" {
		left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
		if err != nil {
			left = st.pulling
		}
		st.pulling = max(st.pulling-left, 0)
		return
	}
	st.pulling, st.refused = 0, now
	st.hand.doubt(now)
	go st.recover()
}

// lock begins a critical section.
func (s *server) lock() *serverState {
	s.mu.Lock()
	return &s.st
}

// with lets the hand take something, and carries out what it wants.
func (s *server) with(take func(st *serverState, now time.Duration)) {
	st := s.lock()
	defer st.mu.Unlock()
	now := st.watch.exact()
	take(st, now)
	st.carryOut(now)
}

// carryOut does what the hand wants done; doWork starts and stops runs, without the lock.
func (st *serverState) carryOut(now time.Duration) {
	for _, e := range st.hand.take() {
		switch e.Kind {
		case handReport:
			st.reports.add(e.Owner, e.Report)
		case handHello:
			st.said = e.Report.Workers
			e.Report.Program = st.program
			e.Report.Broker, e.Report.PID, e.Report.Size = st.link.nc.ConnectedUrlRedacted(),
				os.Getpid(), st.pool.Size()
			_ = st.link.nc.Publish(st.link.nodes(), encodeReports([]report{e.Report}))
		case handAck:
			st.acks = append(st.acks, e.Ack)
		case handProgress:
			st.link.progress(e.Ack)
		default:
			st.work = append(st.work, workStep{Kind: e.Kind, Key: e.Key})
		}
	}
	tells := st.reports.count > 0
	st.reports.each(st.report)
	st.ackLater(tells)
	st.pull(now)
	if len(st.hand.tasks) == 0 {
		select {
		case st.empty <- struct{}{}:
		default:
		}
	}
}

// pull asks for as many tasks as there is room for, unless most of these have been asked for already.
func (st *serverState) pull(now time.Duration) {
	lost := st.pulling > 0 && now-st.pulled > pullExpires+time.Second
	if lost { // those pulls have not even ended: whoever had them is gone
		st.hand.doubt(now)
		st.pulling = 0
	}
	want := st.hand.room() - st.pulling
	if want <= 0 || st.refused > 0 && now-st.refused < pullAgain || st.pulling > 0 && want < (st.hand.workers+3)/4 {
		return
	}
	switch err := st.link.pull(st.link.node(st.id)+".pull", want); {
	case err == nil:
		st.pulling += want
		st.pulled = now
	case errors.Is(err, errNoQueue):
		go st.recover()
	}
}

// report tells an owner, in messages of at most half of what the broker carries.
func (s *server) report(owner string, rs []report) {
	most, size, from := int(s.link.nc.MaxPayload()/2), 0, 0
	for i, r := range rs {
		n := 256 + 512*len(r.Items)
		if o := r.Outcome; o != nil {
			n += 8192 * len(o.Exits)
			if len(o.Payload) > s.link.part() { // the owner asks for it
				only := *o
				rs[i].Outcome, rs[i].Bytes, only.Payload = &only, len(o.Payload), nil
			} else {
				n += len(o.Payload)
			}
		}
		if size += n; size > most && i > from {
			_ = s.link.nc.Publish(s.link.owner(owner), encodeReports(rs[from:i]))
			from, size = i, n
		}
	}
	_ = s.link.nc.Publish(s.link.owner(owner), encodeReports(rs[from:]))
}

// ackLater acknowledges once there is much to acknowledge, or soon, or if something else is sent anyway: nobody waits
// for that.
func (st *serverState) ackLater(now bool) {
	switch n := len(st.acks); {
	case now || n >= manyLater:
		for _, ack := range st.acks {
			st.link.ack(ack)
		}
		st.acks = again(st.acks)
	case n > 0 && !st.acking:
		st.acking = true
		time.AfterFunc(lazyFor, func() {
			st := st.server.lock()
			defer st.mu.Unlock()
			st.acking = false
			st.ackLater(true)
		})
	}
}

// doWork starts and stops runs, in the order in which the hand has said it: whoever has made work does it, or leaves it
// to who is at it.
func (s *server) doWork() {
	st := s.lock()
	defer st.mu.Unlock()
	if st.working {
		return
	}
	st.working = true
	for len(st.work) > 0 {
		work := st.work
		st.work, st.worked = again(st.worked), work
		for _, e := range work {
			t := st.hand.tasks[e.Key]
			id := st.runs[e.Key]
			switch e.Kind {
			case handStart:
				id = messageIDs.Add(1) | 1<<63 // apart from those of Remotes
				st.runs[e.Key] = id
			case handStop:
				st.forgetRun(st.hand.now, e.Key, id)
			}
			if e.Kind == handStart && t != nil && t.Size > 0 {
				st.wantArgument(e.Key, t)
				continue
			}
			st.mu.Unlock()
			switch {
			case e.Kind == handStop:
				s.pool.Cancel(id)
			case t != nil && id != 0:
				s.start(e.Key, t.envelope, e.Arg, id)
			}
			s.mu.Lock()
		}
	}
	st.working = false
}

// tell tells owners of results, as many at a time as there are.
func (s *server) tell() {
	defer s.wg.Done()
	for {
		select {
		case <-s.results:
			s.with(func(st *serverState, _ time.Duration) {})
			s.doWork()
		case <-s.over:
			return
		}
	}
}

// forgetRun forgets a run, and its argument.
func (st *serverState) forgetRun(now time.Duration, k taskKey, id uint64) {
	delete(st.runs, k)
	if size, ok := st.large[id]; ok {
		delete(st.large, id)
		st.args.held -= size
	}
	st.args.drop(now, func(g gatherKey) bool { return g.who == k.owner && g.no == k.no })
}

// wantArgument gets an argument that is with its owner; then its task starts. Until then it has its place among what
// runs.
func (st *serverState) wantArgument(k taskKey, t *inHand) {
	id := st.runs[k]
	st.args.want(clock(), gatherKey{who: k.owner, no: k.no}, t.Size, func(arg []byte) {
		st.large[id] = len(arg)
		st.args.held += len(arg)
		st.work = append(st.work, workStep{Kind: handArrived, Key: k, Arg: arg})
	})
}

// wantPart asks an owner for a part of an argument.
func (st *serverState) wantPart(k gatherKey, p piece) {
	if t := st.hand.tasks[taskKey{k.who, k.no}]; t != nil {
		_ = st.link.nc.Publish(st.link.owner(k.who),
			encodeReports([]report{{Node: st.id, Kind: reportWant, Items: []item{t.item()}, Piece: &p}}))
	}
}

// givePart answers an owner that wants a part of a result.
func (st *serverState) givePart(o order) {
	r := report{Node: st.id, Kind: reportPart, Items: []item{{No: o.No}}, Piece: &piece{Run: o.Piece.Run}}
	if t := st.hand.tasks[taskKey{o.Owner, o.No}]; t != nil && t.state == done && t.run == o.Piece.Run {
		r.Items[0], r.Piece = t.item(), o.Piece.of(t.outcome.Payload, st.link.part())
	}
	_ = st.link.nc.Publish(st.link.owner(o.Owner), encodeReports([]report{r}))
}

// start hands a task to the pool, with arg if its argument was not in its envelope.
func (s *server) start(k taskKey, e envelope, arg []byte, id uint64) {
	if arg != nil {
		e.Arg = arg
	}
	m := &pool.Message{
		ID: id, Task: e.Task, Arg: e.Arg, External: e.External, Key: e.Key, Timeout: e.Timeout, Delivery: e.Delivery,
		HasDelivery: true, Budgets: e.Budgets,
		Attempts: e.Attempts, Exits: e.Exits,
	}
	err := s.pool.Send(context.Background(), m, func(r *pool.Reply) { s.finished(k, id, r) })
	switch {
	case err == nil:
	case errors.Is(err, pool.ErrClosed), errors.Is(err, pool.ErrCrashLoop), errors.Is(err, pool.ErrQueueFull),
		misfitOf(err) != fits:
		s.log.Warn("a task cannot be run here", "task", e.Task, "error", err)
		s.with(func(st *serverState, now time.Duration) {
			if st.runs[k] == id { // its argument is not kept for a run that never was
				st.forgetRun(now, k, id)
			}
			st.hand.cannot(now, k, misfitOf(err))
		})
	default:
		s.finished(k, id, &pool.Reply{Err: err})
	}
}

// misfitOf is why no node of this program will run a task.
func misfitOf(err error) misfit {
	switch {
	case errors.Is(err, pool.ErrUnknownTask):
		return unknownTask
	case errors.Is(err, pool.ErrOtherWorkers):
		return otherWorkers
	}
	return fits
}

// finished takes a run's outcome. One that the pool's own end has given is none: the task goes back.
func (s *server) finished(k taskKey, id uint64, r *pool.Reply) {
	st := s.lock()
	defer st.mu.Unlock()
	if st.runs[k] != id {
		return
	}
	now := st.watch.about()
	if len(st.hand.granted) > 0 { // one of them may begin, if its owner's word is not too old
		now = st.watch.exact()
	}
	st.forgetRun(now, k, id)
	if errors.Is(r.Err, pool.ErrClosed) || errors.Is(r.Err, pool.ErrCrashLoop) {
		st.hand.cannot(now, k, fits)
		st.carryOut(now)
		return
	}
	st.learn(r.Run)
	st.hand.finished(now, k, r, int64(len(r.Payload)))
	if st.hand.running == 0 { // nothing else comes soon
		if st.carryOut(now); len(st.work) == 0 {
			return
		}
	}
	select {
	case s.results <- struct{}{}:
	default:
	}
}

// learn keeps about ten milliseconds of work ahead while tasks are short.
func (st *serverState) learn(run time.Duration) {
	st.mean += (run - st.mean) / 8
	size := st.pool.Size()
	st.hand.workers = max(size,
		min(512, int(int64(size)*int64(10*time.Millisecond)/int64(max(st.mean, 10*time.Microsecond)))))
	if st.hand.workers > 2*st.said || 2*st.hand.workers < st.said { // owners give it as much at a time as it says
		st.hand.hello = 0
	}
}

func (s *server) connection(up bool) {
	st := s.lock()
	ended := st.ended
	st.mu.Unlock()
	if ended {
		return
	}
	if up {
		s.recover()
	}
	s.with(func(st *serverState, now time.Duration) {
		st.pulling = 0
		st.hand.connection(now, up)
	})
}

// recover finds the stream that an owner has made, perhaps anew.
func (s *server) recover() {
	if !s.recovering.CompareAndSwap(false, true) {
		return
	}
	defer s.recovering.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	before := s.link.epoch()
	switch epoch, err := s.link.ensure(ctx); {
	case err != nil && !errors.Is(err, nats.ErrConnectionClosed):
		s.log.Debug("the fleet's stream cannot be had just now", "error", err)
	case epoch != before:
		// the pulls of the old one bring nothing
		s.with(func(st *serverState, _ time.Duration) { st.pulling, st.refused = 0, 0 })
	}
}

// draining tells whether an owner or an operator has told the node to end.
func (s *server) draining() bool {
	st := s.lock()
	defer st.mu.Unlock()
	return st.hand.draining
}

// run serves until ctx ends, and then drains.
func (s *server) run(ctx context.Context) error {
	defer s.wg.Wait()
	defer close(s.over)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	look := func() {
		s.with(func(st *serverState, now time.Duration) {
			st.hand.tick(now)
			st.args.tick(now)
		})
		s.doWork()
	}
	look()
	for ctx.Err() == nil && !s.draining() {
		select {
		case <-tick.C:
			look()
		case <-ctx.Done():
		}
	}
	s.with(func(st *serverState, now time.Duration) { st.hand.drain(now) })
	grace := time.After(s.cfg.Grace)
	for left := true; left; {
		select {
		case <-s.empty:
			st := s.lock()
			left = len(st.hand.tasks) > 0
			st.mu.Unlock()
		case <-tick.C:
			look()
		case <-grace:
			left = false
		}
	}
	st := s.lock()
	st.hand.bye()
	st.carryOut(clock())
	st.ackLater(true)
	st.ended = true
	st.mu.Unlock()
	_ = s.link.nc.FlushTimeout(time.Second) // a broker that is away is told nothing
	return nil
}
