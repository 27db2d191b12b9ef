package fleet

import "time"

// watch tells the time without a call of the kernel, to who need not know at once that the machine was suspended. It
// never goes back, is for one goroutine at a time, and its zero value can be read.
type watch struct {
	read time.Duration // of clock
	at   time.Time     // when
}

// exact reads the clock.
func (w *watch) exact() time.Duration {
	w.read, w.at = clock(), time.Now()
	return w.read
}

// about is what the clock would say if the machine was not suspended since it was read.
func (w *watch) about() time.Duration {
	if w.at.IsZero() {
		return w.exact()
	}
	return w.read + time.Since(w.at)
}
