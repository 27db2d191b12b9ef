package pool

import (
	"slices"
	"sync"

	"github.com/respawn-go/respawn/internal/wire"
)

// effects is what a critical section leaves to be done after it: calls whose waiters must be woken, and workers that
// have frames to be written.
type effects struct {
	settled []*call
	dirty   []*worker
	writes  []outgoing
}

// outgoing is frames to be written to one worker, and the payload that must be in its arena before that.
type outgoing struct {
	w     *worker
	buf   []byte
	large *call
	place int    // in the arena, of large's payload
	head  []byte // of that payload, as it was when the lock was held
	bytes []byte
}

// effectsPool is of empty *effects, for all pools. Whatever one of them pointed to would live on for two collections.
var effectsPool sync.Pool

func spareEffects() *effects {
	if e, ok := effectsPool.Get().(*effects); ok {
		return e
	}
	return &effects{}
}

// beginWrite takes the frames that are to be written, unless somebody is writing already, who will take them after.
func (w *worker) beginWrite() (outgoing, bool) {
	if w.writing || len(w.out) == 0 || w.released {
		return outgoing{}, false
	}
	o := outgoing{w: w, buf: w.out}
	if w.large != nil && !w.large.copied && !w.large.settled { // else its owner may have it back
		w.large.copied = true
		o.large, o.place, o.bytes = w.large, w.place, w.large.data
		o.head = slices.Clone(w.large.inline[:w.large.head])
		o.large.copying++
	}
	w.writing = true
	w.out, w.spareOut = w.spareOut[:0], nil
	return o, true
}

// write writes without blocking the caller: what does not fit at once is left to a goroutine of its own.
func (w *worker) write(o outgoing) {
	for {
		if o.large != nil {
			down, _ := w.proc.Arenas()
			to := down[o.place*len(down)/wire.Places:]
			copy(to[copy(to, o.head):], o.bytes)
			w.copiedLarge(o.large)
			o.large, o.bytes = nil, nil
		}
		n, err := w.proc.TryWrite(o.buf)
		if err == nil && n < len(o.buf) {
			go func() {
				_ = w.proc.Write(o.buf[n:]) // an error means that it is dying; its tasks are in flight
				if more, ok := w.endWrite(o); ok {
					w.write(more)
				}
			}()
			return
		}
		more, ok := w.endWrite(o)
		if !ok {
			return
		}
		o = more
	}
}

// copiedLarge tells that c's payload is in the arena, whatever becomes of the frame.
func (w *worker) copiedLarge(c *call) {
	st := w.p.lock()
	defer st.unlock()
	if c.copying--; c.borrowed {
		st.notify() // its caller may be waiting to have it back
	}
}

// endWrite gives the buffer back and takes what was added meanwhile.
func (w *worker) endWrite(o outgoing) (outgoing, bool) {
	st := w.p.lock()
	defer st.unlock()
	w.writing, w.spareOut = false, o.buf[:0]
	if w.released {
		w.proc.Close()
		return outgoing{}, false
	}
	return w.beginWrite()
}
