package pool

import (
	"os"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// An arena takes memory page by page as large payloads touch it. What results took is given back once the worker has
// been without one for a while and is idle: nobody writes there then. It is given back a little at a time, for that is
// done with the lock.
//
// What arguments took stays for the worker's life: a file that nobody else may write to (F_SEAL_FUTURE_WRITE) can have
// no holes, and the kernel knows no exception for who has made it.
const (
	keptFor   = 5 * time.Second
	leastKept = 1 << 20 // what is kept in any case
	giveStep  = 4 << 20
)

// extent is what large results have touched of a worker's arena.
type extent struct {
	used [wire.Places]int // bytes from the beginning of each place
	last time.Time        // when the last one came
}

// touched notes a large result that has come by the arena.
func (st *state) touched(w *worker, f *wire.Frame) {
	_, up := w.proc.Arenas()
	ref, _ := wire.ParseRef(f.Payload)
	size, place := len(up)/wire.Places, 0
	if ref.Offset >= uint64(size) {
		place = 1 // that of a worker of another language is one, and may be longer than half of the arena
	}
	w.extent.used[place] = max(w.extent.used[place], int(ref.Offset+ref.Size)-place*size)
	w.extent.last = st.clock.now()
	st.lookAtAll(w.extent.last.Add(st.cfg.keptFor))
}

// giveBack gives memory of w's arena back to the kernel if it is time to, and returns when to look again.
func (st *state) giveBack(w *worker, now time.Time) (next time.Time) {
	e := &w.extent
	if e.used[0]+e.used[1] <= leastKept {
		return time.Time{}
	}
	if due := e.last.Add(st.cfg.keptFor); now.Before(due) {
		return due
	}
	if w.flight.count > 0 || w.copying || w.up.out {
		return now.Add(st.cfg.keptFor / 50)
	}
	_, up := w.proc.Arenas()
	size := len(up) / wire.Places
	for place := range e.used {
		if e.used[place] == 0 {
			continue
		}
		page := os.Getpagesize()
		from := max(0, e.used[place]-giveStep)
		begin, end := (place*size+from)/page*page, min((place*size+e.used[place]+page-1)/page*page, len(up))
		w.proc.GiveBack(up[begin:end])
		e.used[place] = from
		return now.Add(keeperTick)
	}
	return time.Time{}
}
