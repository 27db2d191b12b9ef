package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"time"
)

// MaxLine is the longest line in bytes, the header's included.
const MaxLine = 4 << 20

const (
	flushAfter = 50 * time.Millisecond // how long a line waits in memory at most: what a SIGKILL can lose
	flushSize  = 64 << 10
)

// ErrClosed is what Append returns after Close.
var ErrClosed = errors.New("history: closed")

// Options change how a Writer works. The zero value is right outside tests.
type Options struct {
	// Now is the time since the start of the run. Default: since Header.Started.
	Now func() time.Duration
	// Tee is called with each event as it was written, and with its line, in order and one at a time. It must not call
	// the Writer. Default: none.
	Tee func(line int, e Event)
}

// Writer appends events to a history as they happen. Lines reach the file whole and within 100 ms, so that a run that
// is killed leaves everything but its last moment. It is safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	out    io.Writer
	o      Options
	buf    []byte
	timer  *time.Timer
	last   time.Duration
	events int
	sum    uint32
	err    error
	closed bool
}

// Create makes the file, which must not exist yet, and writes the header to it. Close the Writer when the run is over.
func Create(path string, h Header, o Options) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	w, err := NewWriter(f, h, o)
	if err != nil {
		err = errors.Join(err, f.Close(), os.Remove(path))
		return nil, err
	}
	return w, nil
}

// NewWriter writes the header to out, with the version of the schema and, if it has none, the time. Started is T = 0: a
// caller that sets Header.Clock takes both at the same moment. If out is an io.Closer, Close closes it.
func NewWriter(out io.Writer, h Header, o Options) (*Writer, error) {
	h.SchemaVersion = SchemaVersion
	if h.Started.IsZero() {
		h.Started = time.Now()
	}
	if started := h.Started; o.Now == nil {
		o.Now = func() time.Duration { return time.Since(started) }
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("history: header: %w", err)
	}
	if len(line) >= MaxLine {
		return nil, fmt.Errorf("history: header of %d bytes: at most %d can be read again", len(line), MaxLine)
	}
	w := &Writer{out: out, o: o, buf: make([]byte, 0, 2*flushSize)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setLast(append(w.buf, line...))
	w.flush()
	return w, w.err
}

// Append writes one event at the present time: T is set here and never goes back. An event that is too long for a line
// is replaced by a note that says so. The error is that of the first write that failed, or ErrClosed; nothing is
// written after it.
func (w *Writer) Append(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	return w.append(e)
}

func (w *Writer) append(e Event) error {
	if w.err != nil {
		return w.err
	}
	e.T = max(w.o.Now(), w.last)
	if e.End != nil {
		e.End.Sum = e.End.sum(w.sum, e.T)
	}
	line, err := appendEvent(w.buf, &e)
	if err != nil {
		return err
	}
	if n := len(line) - len(w.buf); n >= MaxLine {
		return w.append(
			Event{Note: &Note{Text: fmt.Sprintf("an event of %d bytes is too long to be recorded", n), Dropped: 1}})
	}
	w.last = e.T
	w.events++
	w.setLast(line)
	if w.o.Tee != nil {
		w.o.Tee(w.events+1, e)
	}
	return w.err
}

// setLast makes buf, which has one more line at its end, the buffer. The newline is added here.
func (w *Writer) setLast(buf []byte) {
	old := len(w.buf)
	w.buf = append(buf, '\n')
	w.sum = crc32.Update(w.sum, castagnoli(), w.buf[old:])
	switch {
	case len(w.buf) >= flushSize:
		w.flush()
	case old == 0 && w.timer == nil:
		w.timer = time.AfterFunc(flushAfter, w.Flush)
	case old == 0:
		w.timer.Reset(flushAfter)
	}
}

// sum is the checksum that an end at that time must have, after lines with that one.
func (e *End) sum(lines uint32, t time.Duration) string {
	return fmt.Sprintf("%08x", crc32.Update(lines, castagnoli(), fmt.Appendf(nil, "%d %d %t", t, e.Events, e.Aborted)))
}

// castagnoli is made at its first use: every worker of the command initialises this package, and none sums anything.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (w *Writer) flush() {
	if w.err == nil && len(w.buf) > 0 {
		if _, err := w.out.Write(w.buf); err != nil {
			w.err = fmt.Errorf("history: %w", err)
		}
	}
	w.buf = w.buf[:0]
	if w.timer != nil {
		w.timer.Stop()
	}
}

// Flush hands what was appended so far to the file.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush()
}

// Events is how many events were written.
func (w *Writer) Events() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events
}

// Now is the time since the start of the run, on the clock of the events.
func (w *Writer) Now() time.Duration { return w.o.Now() }

// Close writes the End line, by which a reader knows that nothing is missing, and closes the file. Closing again does
// nothing and returns the same error.
func (w *Writer) Close(aborted bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.closed = true
	_ = w.append(Event{End: &End{Events: w.events, Aborted: aborted}}) // kept in w.err
	w.flush()
	if c, ok := w.out.(io.Closer); ok {
		if err := c.Close(); err != nil && w.err == nil {
			w.err = fmt.Errorf("history: %w", err)
		}
	}
	return w.err
}
