package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// carrier is a Transport whose behaviour a test sets.
type carrier struct {
	send    func(m *pool.Message, done func(*pool.Reply)) error
	mu      sync.Mutex
	cancels []uint64
	window  int
	changed chan struct{}
}

func (c *carrier) Send(_ context.Context, m *pool.Message, done func(*pool.Reply)) error {
	return c.send(m, done)
}

func (c *carrier) Cancel(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels = append(c.cancels, id)
}

func (c *carrier) Window() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.window
}

func (c *carrier) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *carrier) grow(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = n
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *carrier) Drain(context.Context) error { return nil }
func (c *carrier) Close() error                { return nil }

func TestARemoteSettlesATaskOnceWhateverItsTransportDoes(t *testing.T) {
	g := NewWithT(t)
	value := &pool.Reply{Kind: pool.ReplyValue, Payload: []byte{7}}
	r := pool.NewRemote(&carrier{send: func(_ *pool.Message, done func(*pool.Reply)) error {
		done(value)
		done(&pool.Reply{Err: errors.New("a second outcome")})
		return nil
	}})
	f := square.Submit(bound(t), r, 7)
	for range 2 {
		g.Expect(f.Result(bound(t))).To(Equal(7))
	}
	g.Expect(r.Outstanding()).To(BeZero())

	refusing := pool.NewRemote(&carrier{send: func(_ *pool.Message, done func(*pool.Reply)) error {
		go done(value)
		return pool.ErrQueueFull
	}})
	f = square.Submit(bound(t), refusing, 7)
	_, err := f.Result(bound(t))
	g.Expect(err == nil || errors.Is(err, pool.ErrQueueFull)).To(BeTrue(),
		"whichever came first, and only that: %v", err)
	again, err2 := f.Result(bound(t))
	g.Expect(err2 == err).To(BeTrue(), "the same error or none: %v, then %v", err, err2)
	g.Expect(again).To(BeElementOf(0, 7))

	silent := pool.NewRemote(&carrier{send: func(_ *pool.Message, done func(*pool.Reply)) error {
		done(&pool.Reply{})
		return nil
	}})
	_, err = square.Call(bound(t), silent, 7)
	g.Expect(err).To(MatchError(ContainSubstring("without an outcome")))
}

func TestACancelledTaskOfARemoteSettlesAtOnceAndIsCancelledWhereItIs(t *testing.T) {
	g := NewWithT(t)
	sent := make(chan *pool.Message, 1)
	var late func(*pool.Reply)
	c := &carrier{send: func(m *pool.Message, done func(*pool.Reply)) error {
		late = done
		sent <- m
		return nil
	}}
	r := pool.NewRemote(c)
	ctx, cancel := context.WithCancelCause(t.Context())
	f := square.Submit(ctx, r, 7)
	m := <-sent
	cancel(errOwn)
	_, err := f.Result(bound(t))
	g.Expect(err).To(And(MatchError(context.Canceled), MatchError(errOwn)))
	g.Eventually(func() []uint64 { c.mu.Lock(); defer c.mu.Unlock(); return c.cancels }).WithTimeout(patience).
		Should(Equal([]uint64{m.ID}))
	late(&pool.Reply{Kind: pool.ReplyValue, Payload: []byte{7}})
	_, err = f.Result(bound(t))
	g.Expect(err).To(MatchError(errOwn), "its outcome stays")
}

func TestATransportThatSaysThatAContextEndedIsGivenItsCause(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancelCause(bound(t))
	r := pool.NewRemote(&carrier{send: func(*pool.Message, func(*pool.Reply)) error {
		cancel(errOwn)
		return ctx.Err()
	}})
	_, err := square.Call(ctx, r, 7)
	g.Expect(err).To(And(MatchError(context.Canceled), MatchError(errOwn)))
}

func TestAStreamOfARemoteGoesOnWhenTheWindowGrows(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	var waiting []func(*pool.Reply)
	c := &carrier{window: 1, changed: make(chan struct{})}
	c.send = func(_ *pool.Message, done func(*pool.Reply)) error {
		mu.Lock()
		defer mu.Unlock()
		waiting = append(waiting, done)
		return nil
	}
	sent := func() int { mu.Lock(); defer mu.Unlock(); return len(waiting) }
	ctx, cancel := context.WithCancel(bound(t))
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range square.Stream(ctx, pool.NewRemote(c), pool.Slice(make([]int, 100))) {
		}
	}()
	g.Eventually(sent).WithTimeout(patience).Should(Equal(2))
	c.grow(8)
	g.Eventually(sent).WithTimeout(patience).Should(Equal(16), "with none of them settled")
	cancel()
	<-over
}

func TestTheDeathsThatATaskBringsAlongCountAgainstItsBudget(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	deaths := []pool.Exit{
		{Kind: pool.KindCrashed, Code: 1, Worker: "elsewhere"}, {Kind: pool.KindCrashed, Code: 2, Worker: "elsewhere"},
	}
	outcome := func(m pool.Message) *pool.Reply {
		c := make(chan *pool.Reply, 1)
		m.ID, m.Task, m.Arg = 1, die.Name(), []byte("\x67exit 42") // CBOR: a text of seven bytes
		g.Expect(p.Send(bound(t), &m, func(r *pool.Reply) { c <- r })).To(Succeed())
		return <-c
	}
	r := outcome(pool.Message{Attempts: 2, Exits: deaths})
	var lost *pool.WorkerLostError
	g.Expect(errors.As(r.Err, &lost)).To(BeTrue(), "%v", r.Err)
	g.Expect(lost.Attempts).To(Equal(3))
	g.Expect(lost.Exits).To(HaveLen(3), "two came with it, the third spent the budget")
	g.Expect(lost.Exits[2].Code).To(Equal(42))

	r = outcome(pool.Message{Budgets: pool.Budgets{Crashes: 1}})
	g.Expect(errors.As(r.Err, &lost)).To(BeTrue(), "%v", r.Err)
	g.Expect(lost.Exits).To(HaveLen(1), "its own budget, in place of the pool's")
}

func TestAMessageThatNobodyCanHaveMadeIsRefused(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for what, m := range map[string]pool.Message{
		"task not registered": {Task: "no-such-task"},
		"key of length 256":   {Key: string(make([]byte, 256))},
		"Slot -1":             {Slot: -1},
		"no such slot":        {Slot: 2},
		"Attempts -1":         {Attempts: -1},
		"Attempts 65536":      {Attempts: 1 << 16},
		"Delivery 2":          {Delivery: 2},
		"Budgets":             {Budgets: pool.Budgets{OOM: -1}},
		"number of Exits":     {Exits: make([]pool.Exit, 3001)},
		"has the route":       {Route: "gpu"},
	} {
		if m.Task == "" {
			m.Task = square.Name()
		}
		err := p.Send(bound(t), &m, func(*pool.Reply) { t.Errorf("%s: done was called", what) })
		g.Expect(err).To(MatchError(ContainSubstring(what)))
	}
	_, err := square.Call(bound(t), p, 7, pool.WithRoute("gpu"))
	g.Expect(err).To(MatchError(ContainSubstring(`"gpu"`)))
	g.Expect(square.Call(bound(t), p, 7, pool.WithRoute(""))).To(Equal(49))
	p.Cancel(4711) // nobody's
}

func TestTwoRemotesShareAPool(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	a, b := pool.NewRemote(p), pool.NewRemote(p)
	ctx, cancel := context.WithTimeout(bound(t), 0)
	defer cancel()
	long := sleep.Submit(bound(t), a, time.Second)
	_, err := sleep.Call(ctx, b, time.Hour)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(long.Result(bound(t))).NotTo(BeZero(), "the other's cancelling is none of its business")
}
