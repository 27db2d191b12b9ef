package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"time"
)

// What can be wrong with a history. A [LineError] wraps one of them.
var (
	ErrCutShort = errors.New("the history is cut short")       // its last line is not whole
	ErrInvalid  = errors.New("this line is not of a history")  // not JSON, unknown fields, too long, out of order
	ErrEdited   = errors.New("the history was edited")         // count or checksum of its End do not match its lines
	ErrVersion  = errors.New("the history has another schema") // written by another version of this program
)

// LineError says what is wrong with which line of a history.
type LineError struct {
	Line    int // from 1, the header's
	Problem string
	Err     error // ErrCutShort, ErrInvalid, ErrEdited or ErrVersion
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v: %s", e.Line, e.Err, e.Problem) }

// Unwrap is the kind of the problem.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads a history in one pass, a line at a time: memory does not grow with its length. It is for one goroutine.
type Reader struct {
	Header Header

	in    *bufio.Reader
	close func() error
	long  []byte // a line that is longer than in's buffer
	line  int
	sum   uint32
	last  time.Duration
	ended bool
	read  bool
}

// Open opens a history file and reads its header. Close the Reader when done.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	r.close = f.Close
	return r, nil
}

// NewReader reads the header. The error is a *LineError, or what in returned.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 256<<10), close: func() error { return nil }}
	line, err := r.next()
	if err == io.EOF {
		return nil, r.problem(ErrCutShort, "it is empty")
	}
	if err != nil {
		return nil, err
	}
	if err := unmarshal(line, &r.Header); (r.Header.SchemaVersion < 1 || r.Header.SchemaVersion > SchemaVersion) &&
		(err == nil || r.Header.SchemaVersion != 0) {
		return nil, r.problem(ErrVersion,
			fmt.Sprintf("schema_version is %d, this program reads 1 to %d", r.Header.SchemaVersion, SchemaVersion))
	} else if err != nil {
		return nil, r.problem(ErrInvalid, "not a header: "+err.Error())
	}
	r.sum = crc32.Update(r.sum, castagnoli(), line)
	r.sum = crc32.Update(r.sum, castagnoli(), newline)
	return r, nil
}

var newline = []byte{'\n'}

// Close closes the file that Open opened.
func (r *Reader) Close() error { return r.close() }

// Truncated tells, after the events were read, that there was no End: the run did not close its history.
func (r *Reader) Truncated() bool { return !r.ended }

// Events yields the events in order, each with the line Line tells; after an error, which is a *LineError or the
// input's own, there is nothing more. The events belong to the caller. It can be ranged over once.
func (r *Reader) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if r.read {
			return
		}
		r.read = true
		for {
			e, err := r.event()
			if err == io.EOF || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Next is the next event; io.EOF after the last, when there may be more later if the input has grown by whole lines.
// After any other error there is nothing more.
func (r *Reader) Next() (Event, error) {
	e, err := r.event()
	if err == io.EOF {
		r.line--
	}
	return e, err
}

// Line is the line of the last event that was yielded, the header's being 1.
func (r *Reader) Line() int { return r.line }

func (r *Reader) event() (e Event, err error) {
	line, err := r.next()
	if err != nil {
		return e, err
	}
	if r.ended {
		return e, r.problem(ErrEdited, "there is a line after the end")
	}
	if err := decode(line, &e); err != nil {
		return Event{}, r.problem(ErrInvalid, err.Error())
	}
	if r.Header.SchemaVersion == 1 {
		fromVersion1(&e)
	}
	leads(&e)
	if e.T < r.last {
		return Event{}, r.problem(ErrEdited, fmt.Sprintf("t goes back from %v to %v", r.last, e.T))
	}
	r.last = e.T
	if e.End != nil {
		return e, r.end(&e)
	}
	r.sum = crc32.Update(r.sum, castagnoli(), line)
	r.sum = crc32.Update(r.sum, castagnoli(), newline)
	return e, nil
}

// end compares what the End says with what was read.
func (r *Reader) end(e *Event) error {
	end := e.End
	r.ended = true
	if have := r.line - 2; end.Events != have {
		return r.problem(ErrEdited, fmt.Sprintf("its end says %d events, %d are here", end.Events, have))
	}
	if have := end.sum(r.sum, e.T); end.Sum != have {
		return r.problem(ErrEdited, fmt.Sprintf("its end says checksum %q, the lines have %q", end.Sum, have))
	}
	return nil
}

// next is the next line without its newline, valid until the next call; io.EOF after the last.
func (r *Reader) next() ([]byte, error) {
	r.line++
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if err == nil && len(r.long) == 0 {
			return part[:len(part)-1], nil
		}
		r.long = append(r.long, part...)
		switch {
		case len(r.long) > MaxLine:
			return nil, r.problem(ErrInvalid, fmt.Sprintf("more than %d bytes", MaxLine))
		case err == nil:
			return bytes.TrimSuffix(r.long, newline), nil
		case err == io.EOF && len(r.long) > 0:
			return nil, r.problem(ErrCutShort,
				fmt.Sprintf("the last line ends after %d bytes without a newline", len(r.long)))
		case err == io.EOF:
			return nil, io.EOF
		case err != bufio.ErrBufferFull:
			return nil, fmt.Errorf("history: line %d: %w", r.line, err)
		}
	}
}

func (r *Reader) problem(kind error, text string) error {
	return &LineError{Line: r.line, Problem: text, Err: kind}
}
