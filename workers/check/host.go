package check

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// host is one start of the worker, seen from the pool's side.
type host struct {
	*exam
	ends
	program *foreign.Program
	ready   readyText
	index   map[string]uint16
	shares  bool // memory, as it says

	mu       sync.Mutex
	sent     map[uint32]*sent
	issued   []uint32 // the tickets that were written and not taken back, oldest first
	seq      uint32
	frames   int           // that came
	opening  chan *frame   // ready, or boot failed
	said     chan struct{} // closed at goodbye
	goodbye  bool
	ending   bool          // it may end, and break off
	put      uint32        // large results that it has put into shared memory
	holding  bool          // the order collected is held back
	held     bool          // one is
	gone     chan struct{} // closed when nothing more can come
	unusable bool          // what it sends cannot be read any more
}

// sent is a task that the worker was sent.
type sent struct {
	name      string
	id        uint64
	seq       uint32
	at        time.Time
	ticket    bool
	takenBack bool
	answers   int
	answer    chan *frame
}

// start starts the worker and reads what it sends. env is added to its environment.
func (e *exam) start(env ...string) (*host, error) {
	ours, theirs, err := newEnds()
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	h := &host{
		exam: e, ends: ours, sent: map[uint32]*sent{}, opening: make(chan *frame, 1), said: make(chan struct{}),
		gone: make(chan struct{}),
	}
	if err == nil {
		h.program, err = foreign.Start(foreign.Command{
			Argv: e.command.Argv, Dir: e.command.Dir, Files: theirs,
			Env: slices.Concat(e.command.Env, []string{e.proof}, env),
		})
	}
	if err != nil {
		h.ends.close()
		return nil, err
	}
	e.hosts = append(e.hosts, h)
	go h.read()
	return h, nil
}

// stderr is the end of what the worker printed.
func (h *host) stderr() string { return h.program.Stderr() }

// end kills what is left of the worker.
func (h *host) end() error {
	h.mayEnd()
	err := h.program.End()
	h.tasks.Close()
	<-h.gone // which reads shared memory
	h.ends.close()
	return err
}

// mayEnd says that from now on the worker's end is no violation.
func (h *host) mayEnd() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ending = true
}

// read takes frames until the worker's end is closed or what comes is none.
func (h *host) read() {
	defer close(h.gone)
	head := make([]byte, headerSize)
	for {
		n, err := io.ReadFull(h.tasks, head)
		if err != nil {
			if n > 0 && !errors.Is(err, os.ErrClosed) {
				h.rubbish("%d bytes, %q, are the beginning of no whole frame", n, head[:n])
			}
			return
		}
		f, size := parseHeader(head)
		if _, known := kindNames[f.kind]; !known || size > maxFrame {
			h.rubbish("%q is no header: a kind of %d and a payload of %d bytes", head, f.kind, size)
			return
		}
		f.payload = make([]byte, size)
		if n, err := io.ReadFull(h.tasks, f.payload); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				h.rubbish("a frame %s of %d bytes ends after %d", kindName(f.kind), size, n)
			}
			return
		}
		f.came = time.Now()
		h.receive(&f)
	}
}

// rubbish notes what cannot be read. A worker that is killed may leave half a frame.
func (h *host) rubbish(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unusable = true
	if !h.ending {
		h.add(Rubbish, h.frames+1, ruleFrames,
			format+": only whole frames may be written to descriptor 3, which handlers know nothing of", args...)
	}
}

// receive does what one frame asks.
func (h *host) receive(f *frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frames++
	f.n = h.frames
	if f.kind == kindValue && f.flags == flagShared && h.shares {
		if !h.collect(f) {
			return
		}
	} else if f.flags != 0 {
		h.add(BadField, f.n, ruleFrames,
			"flags %d of a frame %s: want 0, or 1 for a value in shared memory, if it can: arena", f.flags,
			kindName(f.kind))
	}
	if f.handler != 0 || f.attempt != 0 || f.keyLen != 0 {
		h.add(BadField, f.n, ruleFrames, "handler %d, attempt %d, key %d of a frame %s: want 0 in all of them",
			f.handler, f.attempt, f.keyLen, kindName(f.kind))
	}
	switch f.kind {
	case kindReady, kindBootFailed:
		select {
		case h.opening <- f:
		default:
			h.add(Unasked, f.n, ruleFrames, "a second frame %s", kindName(f.kind))
		}
	case kindGoodbye:
		if h.goodbye {
			h.add(Unasked, f.n, ruleFrames, "goodbye twice")
			return
		}
		h.goodbye = true
		close(h.said)
	case kindValue, kindError, kindEncode, kindUnknown:
		h.answered(f)
	default:
		h.add(WrongKind, f.n, ruleFrames, "a frame %s, which only a pool sends", kindName(f.kind))
	}
}

// answered takes an answer; mu is held.
func (h *host) answered(f *frame) {
	s := h.sent[f.seq]
	if s == nil || s.id != f.id {
		h.add(Unasked, f.n, ruleFrames, "an answer for task %d as number %d, which is not at the worker: want the id "+
			"and the seq of the task's frame",
			f.id, f.seq)
		return
	}
	s.answers++
	switch {
	case s.answers > 1:
		h.add(AnsweredTwice, f.n, ruleFrames, "task %d (%s) was answered before", s.id, s.name)
		return
	case s.takenBack:
		h.add(TakenBack, f.n, ruleTickets,
			"task %d (%s) was run, and its ticket had been taken back: no ticket in the pipe, or one of "+
				"a later number, means that this frame is not to be run", s.id, s.name)
	default:
		if left, ok := h.look(f.n); ok && slices.Contains(left, f.seq) {
			h.add(NoTicket, f.n, ruleTickets,
				"task %d (%s) was answered, and its ticket is still in the pipe: read it before the task is run",
				s.id, s.name)
		}
	}
	if took := time.Since(s.at); time.Duration(f.run) > took+time.Second {
		h.add(WrongTime, f.n, ruleFrames, "task %d (%s) is said to have run for %v, and was sent %v ago",
			s.id, s.name, time.Duration(f.run),
			took.Round(time.Millisecond))
	}
	s.answer <- f
}

// look finds the tickets that were not taken; mu is held. n is the frame that asks.
func (h *host) look(n int) (left []uint32, ok bool) {
	bytes, err := h.left()
	switch {
	case err != nil:
		return nil, false
	case bytes%ticketSize != 0:
		h.add(TornTicket, n, ruleTickets, "%d bytes are left in the pipe: read exactly 4, with one read", bytes)
		return nil, false
	case bytes/ticketSize > len(h.issued):
		h.add(ForgedTicket, n, ruleTickets, "%d tickets are in the pipe, of %d that were written",
			bytes/ticketSize, len(h.issued))
		return nil, false
	}
	return h.issued[len(h.issued)-bytes/ticketSize:], true
}

// place is where in shared memory something is.
func place(at, size int) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(at)), uint64(size))
}

// collect copies a large result out of shared memory, and says so unless that is held back; mu is held.
func (h *host) collect(f *frame) bool {
	if len(f.payload) == 16 {
		at, size := binary.LittleEndian.Uint64(f.payload), binary.LittleEndian.Uint64(f.payload[8:])
		if n := uint64(len(h.up)); at <= n && size <= n-at {
			if h.held {
				h.add(Overwrites, f.n, ruleLarge,
					"a large result was put into shared memory before the one before was collected")
			}
			f.payload = append([]byte{}, h.up[at:at+size]...)
			h.put++
			if !h.holding {
				go h.order(orderCollected, h.put)
			}
			h.held = h.holding
			return true
		}
	}
	h.add(BadField, f.n, ruleLarge,
		"a value in shared memory is at %q: want 16 bytes, offset and size, within descriptor 7", f.payload)
	return false
}

// withheld is the argument of a task whose ticket is not written: it was taken back before the worker had the frame.
type withheld struct{ arg any }

// ask is a task to send.
type ask struct {
	name string
	arg  any // of []byte goes as it is and asks for bytes, any other as JSON
}

// send sends tasks of one name.
func (h *host) send(name string, args ...any) []*sent {
	asks := make([]ask, len(args))
	for i, arg := range args {
		asks[i] = ask{name, arg}
	}
	return h.sendAll(asks...)
}

// sendAll writes the tickets of tasks, then their frames, all of these at once.
func (h *host) sendAll(asks ...ask) []*sent {
	list := make([]*sent, len(asks))
	var tickets, frames []byte
	h.mu.Lock()
	for i, a := range asks {
		name, arg := a.name, a.arg
		w, back := arg.(withheld)
		if back {
			arg = w.arg
		}
		index, ok := h.index[name]
		if !ok {
			index = ^uint16(0)
		}
		h.exam.id++
		s := &sent{
			name: name, id: h.exam.id, seq: h.seq, at: time.Now(), ticket: !back, takenBack: back,
			answer: make(chan *frame, 1),
		}
		h.seq++
		h.sent[s.seq] = s
		f := frame{kind: kindTask, handler: index, id: s.id, seq: s.seq, attempt: 1}
		f.argument(arg)
		if h.shares && f.flags&flagBytes != 0 && len(f.payload) >= large && len(f.payload) <= len(h.down) {
			copy(h.down, f.payload)
			f.flags, f.payload = f.flags|flagShared, place(0, len(f.payload))
		}
		frames = f.append(frames)
		if !back {
			tickets = binary.LittleEndian.AppendUint32(tickets, s.seq)
			h.issued = append(h.issued, s.seq)
		}
		list[i] = s
	}
	h.mu.Unlock()
	_, _ = h.tickets.Write(tickets)
	h.write(frames)
	return list
}

// argument sets the payload.
func (f *frame) argument(arg any) {
	switch arg := arg.(type) {
	case []byte:
		f.flags, f.payload = flagBytes|flagWantBytes, arg
	case json.RawMessage:
		f.payload = arg
	case frame: // as it is
		f.flags, f.keyLen, f.attempt, f.payload = arg.flags, arg.keyLen, max(arg.attempt, 1), arg.payload
	default:
		f.payload, _ = json.Marshal(arg)
	}
}

// write writes to the task socket. Who does not read is noticed by what does not come.
func (h *host) write(b []byte) {
	_ = h.tasks.SetWriteDeadline(time.Now().Add(h.limits.Task))
	_, _ = h.tasks.Write(b)
}

func (h *host) order(kind byte, argument uint32) {
	_ = h.control.SetWriteDeadline(time.Now().Add(h.limits.Task))
	_, _ = h.control.Write(order(kind, argument))
}

// ranTakenBack tells whether an answer came to what was taken back.
func (h *host) ranTakenBack() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sent {
		if s.takenBack && s.answers > 0 {
			return true
		}
	}
	return false
}

// takeBack takes out what is left in the pipe, and tells which tasks that were.
func (h *host) takeBack() (seqs []uint32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left, ok := h.look(0)
	if !ok {
		return nil, errSpoiled
	}
	b, err := h.drain()
	if err != nil || len(b)%ticketSize != 0 || len(b)/ticketSize > len(left) {
		return nil, errors.Join(err, errSpoiled)
	}
	left = left[len(left)-len(b)/ticketSize:]
	h.issued = h.issued[:len(h.issued)-len(left)]
	for i, seq := range left {
		if got := binary.LittleEndian.Uint32(b[ticketSize*i:]); got != seq {
			h.add(ForgedTicket, 0, ruleTickets, "ticket %d is in the pipe where %d was written", got, seq)
			return nil, errSpoiled
		}
		h.sent[seq].takenBack = true
	}
	return slices.Clone(left), nil
}

// errSpoiled ends a step: what went wrong is noted, and what follows from it would be noise.
var errSpoiled = errors.New("the worker cannot be examined further")

// result waits for the answer to a task, which must come within the limit.
func (h *host) result(ctx context.Context, s *sent) (*frame, error) {
	return h.resultWithin(ctx, s, h.limits.Task)
}

func (h *host) resultWithin(ctx context.Context, s *sent, limit time.Duration) (*frame, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case f := <-s.answer:
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		h.add(NoAnswer, 0, ruleFrames,
			"task %d (%s) has no answer after %v: answer each task whose ticket was taken, and write what is "+
				"finished before waiting", s.id, s.name, limit)
	case <-h.gone:
		select {
		case f := <-s.answer:
			return f, nil
		default:
		}
		h.lost(ctx, fmt.Sprintf("task %d (%s)", s.id, s.name))
	}
	return nil, errSpoiled
}

// lost notes that the worker ended, or closed its end, before it did something.
func (h *host) lost(ctx context.Context, before string) {
	h.mu.Lock()
	unusable := h.unusable
	h.mu.Unlock()
	if unusable {
		return // noted
	}
	if h.awaitExit(ctx, time.Second) {
		h.add(Died, 0, ruleEnds, "it %v before it answered %s", h.program.Exit(), before)
		return
	}
	h.add(Died, 0, ruleEnds, "it closed its task socket before it answered %s", before)
}

// awaitExit waits for the end of the worker's process.
func (h *host) awaitExit(ctx context.Context, limit time.Duration) bool {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-h.program.Exited():
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// eventually waits until it holds.
func eventually(ctx context.Context, limit time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return holds()
		}
	}
	return true
}
