package pool

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// Loan is the result of a task that its caller reads where it came in, in memory that the worker shares: [Borrow] makes
// it, and Release gives it back. Keep the Loan as long as its bytes are in use: one that nobody refers to any more is
// released by the garbage collector some time later, whoever has its bytes.
//
// A worker lends one result that it made and one that is a part of its argument at a time, so that what is on loan is
// bounded by the number of workers. While they are out, further large results of that worker are copied, as those of
// Call are, and nothing waits: a loan that is never released costs a copy and the memory, and no task. What a worker
// lent stays as it was when the worker dies or the pool is closed, until it is released; then the memory is gone.
//
// The bytes must not be changed. Those of a result that the worker made are in memory that the worker can write to, so
// a broken or hostile one can change them while they are looked at: copy before you check what must not change between
// the check and its use. Those of a result that is a part of a [Lent] argument no worker can write to.
//
// Safe for concurrent use, except that nobody may read the bytes when Release is called.
type Loan struct {
	bytes   Lent
	held    *held // nil for a copy
	cleanup runtime.Cleanup
	once    sync.Once
}

// Borrow is Call for a task whose result is bytes, and lends them where Call copies: a large echo is copied once, on
// its way in. The caller releases the loan when it has read them. Small results are copies, as are those of a [Remote],
// of workers in another language, and those of a worker that has lent one already (see [Loan]); a copy is released in
// the same way, which does nothing.
func Borrow[In any](ctx context.Context, r Runner, t Task[In, Lent], in In, opts ...Option) (*Loan, error) {
	p, here := r.(*Pool)
	if !here {
		v, err := t.Call(ctx, r, in, opts...)
		if err != nil {
			return nil, err
		}
		return &Loan{bytes: v}, nil
	}
	f := t.make(in, opts, true)
	f.call.lends = t.def.codec.Lends()
	p.do(ctx, &f.call)
	if h := f.call.loan; h != nil {
		l := &Loan{bytes: f.call.data, held: h}
		l.cleanup = runtime.AddCleanup(l, (*held).giveBack, h)
		return l, nil
	}
	v, err := f.value(true)
	if err != nil {
		return nil, err
	}
	return &Loan{bytes: v}, nil
}

// Bytes are the result; nil once it is released. Nobody may use them after that: where they were there is the result of
// another task, or nothing, and to look at it is a fault that ends this program.
func (l *Loan) Bytes() Lent { return l.bytes }

// Release gives the memory back. The second time it does nothing.
func (l *Loan) Release() {
	l.once.Do(func() {
		l.bytes = nil
		if l.held != nil {
			l.cleanup.Stop()
			l.held.giveBack()
		}
	})
}

// lending is what an arena has on loan: one of its places, or none. Its fields belong to who has the lock.
type lending struct {
	out   bool
	place int
}

// free is the place that the next payload goes to.
func (l lending) free() int {
	if l.out && l.place == 0 {
		return 1
	}
	return 0
}

// held is a loan as its worker sees it.
type held struct {
	w     *worker
	of    *lending
	letGo func() // of the arena
}

// lend is the body of a large result where it came in, if it may and can stay there; nil: it must be copied.
func (st *state) lend(w *worker, f *wire.Frame, result []byte) []byte {
	c := w.flight.get(f.Seq)
	body, ok := codec.BodyOf(result)
	if !c.lends || c.settled || f.Kind != wire.FrameValue || !ok || len(body) == 0 {
		return nil
	}
	down, up := w.proc.Arenas()
	arena, of := up, &w.up
	if f.Flags&wire.FlagPart != 0 {
		arena, of = down, &w.down
	}
	at, _ := codec.OffsetIn(arena, body)
	place, ok := wire.Ref{Offset: at, Size: uint64(len(body))}.PlaceOf(arena)
	if !ok || of.out {
		return nil
	}
	*of = lending{out: true, place: place}
	c.loan = &held{w: w, of: of, letGo: w.proc.Keep()}
	return body
}

// giveBack ends the loan: the place is the worker's again, if it lives.
func (h *held) giveBack() {
	st := h.w.p.lock()
	h.of.out = false
	h.w.tellCollected()
	st.unlock()
	h.letGo()
}

// argument is where in the arena the argument of w's large task is.
func (w *worker) argument(c *call) wire.Ref {
	down, _ := w.proc.Arenas()
	return wire.Ref{Offset: uint64(w.place * (len(down) / wire.Places)), Size: uint64(c.size())}
}

// Large byte slices and strings are copied as seldom as can be: once into the arena and once out of it on each side.
// The copies out are there because the memory is the other side's to change.

// borrow makes large bytes the call's data without encoding them: their head goes to inline. A slice is used as it
// is when the caller waits for the outcome, else copied, since its owner may go on to change it. It reports whether v
// was of that kind.
func (c *call) borrow(v any, waits bool) bool {
	head, body, changes := c.def.codec.Body(c.inline[:0], v)
	if body == nil {
		return false
	}
	c.data, c.head = body, uint8(len(head))
	if changes && !waits {
		c.data = slices.Clone(body)
	}
	c.borrowed = changes && waits
	return true
}

// size is that of its encoded argument.
func (c *call) size() int { return int(c.head) + len(c.data) }

// large tells whether its argument is for the arena.
func (c *call) large() bool {
	if c.def.external {
		return c.size() >= wire.ExternalInline
	}
	return c.size() >= wire.InlinePayload
}
