package pool

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Seq makes the input of a stream from a sequence that cannot fail.
func Seq[T any](in iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range in {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Slice makes the input of a stream from a slice.
func Slice[T any](in []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range in {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Stream runs the task for every input and yields the outcomes in the inputs' order, as they come. It reads the input
// only as far ahead as twice what the workers take that were ready 64 inputs ago or since, so that an endless input and
// a slow consumer are fine. A handler's error is yielded for its item and the stream goes on. When the input itself
// yields an error, the items before it are yielded, then that error, and the stream ends. Breaking out of the loop
// cancels what is in flight and releases everything, except that an input blocked in its own code is left to return by
// itself. The input runs in a goroutine of its own; a panic in it is raised again in the consumer. A pool that is
// closed, or whose breaker is open, settles each item with that error: break out of the loop if the input is endless.
func (t Task[In, Out]) Stream(ctx context.Context, r Runner, in iter.Seq2[In, error],
	opts ...Option,
) iter.Seq2[Out, error] {
	return t.stream(ctx, r, in, opts, true)
}

// StreamUnordered is Stream with the outcomes in the order in which they settle.
func (t Task[In, Out]) StreamUnordered(ctx context.Context, r Runner, in iter.Seq2[In, error],
	opts ...Option,
) iter.Seq2[Out, error] {
	return t.stream(ctx, r, in, opts, false)
}

// stream is not inlined: else every pair of types has it five times, and a program of many tasks takes long to build.
//
//go:noinline
func (t Task[In, Out]) stream(ctx context.Context, r Runner, in iter.Seq2[In, error], opts []Option,
	ordered bool,
) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s := &streamState{
			wake: make(chan struct{}, 1), fed: make(chan struct{}, 1), ordered: ordered, loose: map[*call]struct{}{},
		}
		s.head = &waiting{c: make(chan struct{}, 1), once: true}
		context.AfterFunc(ctx, func() { s.cancel(ctx, r) })
		go s.feed(ctx, r, func(submit func(*call, any) bool) error {
			for v, err := range in {
				if err != nil {
					return err
				}
				f := t.make(v, opts, false)
				f.call.patient = true // a stream bounds itself
				if !ordered {
					f.call.more().settle = func() { s.settled(&f.call, f) }
				}
				if !submit(&f.call, f) {
					return nil
				}
			}
			return nil
		})
		for {
			f, end := s.next(ctx)
			if end != nil {
				if end.panicked != nil {
					panic(end.panicked)
				}
				if end.err != nil {
					yield(*new(Out), end.err)
				}
				return
			}
			v, err := f.(*Future[Out]).value(false)
			if !yield(v, err) {
				return
			}
		}
	}
}

// streamState is shared by a stream's feeder and its consumer. It knows nothing of types, so that it is built once.
type streamState struct {
	ordered bool
	wake    chan struct{} // to the consumer: there is something to wait for, or to yield, or the input ended
	fed     chan struct{} // to the feeder: there is room
	head    *waiting      // the consumer, while it waits for the first of order
	window  int           // of the runner, when the feeder last asked
	asked   int           // how many were submitted since

	mu      sync.Mutex
	parked  bool               // the consumer waits for wake
	order   []streamed         // submitted and not yielded; when unordered, settled and not yielded
	loose   map[*call]struct{} // when unordered, submitted and not settled
	handing *call              // the one that is being submitted
	flying  int                // submitted and not yielded
	end     *streamEnd
}

// streamed is one task of a stream.
type streamed struct {
	call   *call
	future any // the *Future that the call is of
}

var errInputQuit = errors.New("pool: the stream's input called runtime.Goexit, as t.FailNow does: it may not be all")

// streamEnd is how the input ended.
type streamEnd struct {
	err      error
	panicked any
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// feed submits the input as long as there is room.
func (s *streamState) feed(ctx context.Context, r Runner, each func(submit func(*call, any) bool) error) {
	end := &streamEnd{err: errInputQuit} // unless it returns
	defer func() {
		end.panicked = recover()
		s.mu.Lock()
		s.end = end
		s.mu.Unlock()
		poke(s.wake)
	}()
	end.err = each(func(c *call, future any) bool {
		if !s.room(ctx, r) {
			return false
		}
		s.mu.Lock()
		s.flying++
		if s.ordered {
			s.order = append(s.order, streamed{c, future})
		} else {
			s.loose[c] = struct{}{}
		}
		s.handing = c
		s.mu.Unlock()
		accepted := r.submit(ctx, c) == nil
		s.mu.Lock()
		s.handing = nil
		parked := s.parked
		s.mu.Unlock()
		if parked {
			poke(s.wake)
		}
		if accepted && ctx.Err() != nil { // cancel may have left it out
			r.cancel(c, ctx)
		}
		return true
	})
	if end.err == nil && ctx.Err() != nil {
		end.err = ended(ctx)
	}
}

// cancel cancels what is in flight, for ctx is done.
func (s *streamState) cancel(ctx context.Context, r Runner) {
	s.mu.Lock()
	var list []*call
	for _, o := range s.order {
		list = append(list, o.call)
	}
	list = slices.AppendSeq(list, maps.Keys(s.loose))
	handing := s.handing
	s.mu.Unlock()
	for _, c := range list {
		if c != handing {
			r.cancel(c, ctx)
		}
	}
}

// askAgain is how many tasks a stream submits at most before it asks again how many its runner takes.
const askAgain = 64

// room waits until another task may be submitted; false when the stream is over.
func (s *streamState) room(ctx context.Context, r Runner) bool {
	for {
		s.mu.Lock()
		flying := s.flying
		s.mu.Unlock()
		if ctx.Err() != nil {
			return false
		}
		if s.asked++; s.asked < askAgain && flying < s.window {
			return true
		}
		changed := r.windowChanged() // before the look at the window, so that no growth is missed
		if s.window, s.asked = r.streamWindow(), 0; flying < s.window {
			return true
		}
		select {
		case <-s.fed:
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// settled is called once for each task of a stream that is not ordered.
func (s *streamState) settled(c *call, future any) {
	s.mu.Lock()
	s.order = append(s.order, streamed{c, future})
	delete(s.loose, c)
	s.mu.Unlock()
	poke(s.wake)
}

// next waits for the next outcome to yield, or the end: the input's, or ctx's once everything submitted was yielded,
// since an input that blocks in its own code does not see it.
func (s *streamState) next(ctx context.Context) (future any, end *streamEnd) {
	for {
		s.mu.Lock()
		if len(s.order) > 0 && s.order[0].call.signal.Load() == settledSignal {
			f := s.order[0].future
			s.order[0] = streamed{}
			s.order = s.order[1:]
			s.flying--
			s.mu.Unlock()
			poke(s.fed)
			return f, nil
		}
		if len(s.order) > 0 && s.order[0].call != s.handing { // else its caller would be taken for one who waits
			c := s.order[0].call
			s.mu.Unlock()
			if c.signal.CompareAndSwap(nil, s.head) {
				<-s.head.c
			}
			continue
		}
		if s.end != nil && s.flying == 0 {
			defer s.mu.Unlock()
			return nil, s.end
		}
		var given <-chan struct{}
		if s.flying == 0 {
			given = ctx.Done()
		}
		s.parked = s.ordered
		s.mu.Unlock()
		select {
		case <-s.wake:
			s.mu.Lock()
			s.parked = false
			s.mu.Unlock()
		case <-given:
			s.mu.Lock()
			none := s.flying == 0 // and it is not that something was submitted meanwhile
			s.mu.Unlock()
			if none {
				return nil, &streamEnd{err: ended(ctx)}
			}
		}
	}
}

// streamWindow is twice what the ready workers take, at least 2.
func (p *Pool) streamWindow() int {
	st := p.lock()
	defer st.unlock()
	return max(2*st.windows, 2*len(st.slots), 2)
}
