package driver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// exitGrace is how long a process may take to be gone after the first sign of it, and its last words to arrive.
	exitGrace = time.Second
	// maxRun is how long a line without an end may get before the driver is ended.
	maxRun = 16 << 20
)

// read takes the driver's output line by line until it ends. It blocks on nothing else, so a driver can always write.
func (d *Driver) read() {
	defer d.finish()
	go func() { // something may hold the pipe open after the driver
		<-d.program.Exited()
		_ = d.output.SetReadDeadline(time.Now().Add(exitGrace))
	}()
	in := bufio.NewReaderSize(d.output, MaxLine)
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			d.wrong(TooLong, number, "", "it begins with %s: at most %d bytes", quote(line), MaxLine)
			if !d.skipLine(in, number) {
				return
			}
		case err != nil:
			if len(line) > 0 {
				d.violate(newViolation(Rubbish, number, "",
					quote(line)+" has no end: finish each line with a line feed, in one write"))
			}
			return
		case len(bytes.TrimSpace(line)) > 0:
			d.deliver(line, number)
		}
	}
}

// skipLine reads to the end of a line that is too long.
func (d *Driver) skipLine(in *bufio.Reader, number int) bool {
	for n := 0; ; {
		part, err := in.ReadSlice('\n')
		n += len(part)
		switch {
		case err == nil:
			return true
		case !errors.Is(err, bufio.ErrBufferFull):
			return false
		case n > maxRun:
			d.giveUp(newViolation(Flood, number, "", fmt.Sprintf("more than %d bytes without a line feed", maxRun)))
			return false
		}
	}
}

// deliver hands a line to whom it answers.
func (d *Driver) deliver(line []byte, number int) {
	r := parse(line, number)
	if r.bad != nil {
		d.violate(r.bad)
		if r.bad.Kind != BadField {
			return
		}
	}
	if r.ID != nil && (r.Op == "result" || r.Op == "error") {
		d.settle(r)
		return
	}
	d.mu.Lock()
	i := slices.IndexFunc(d.asked, func(q *question) bool { return q.want == r.Op || r.Op == "error" })
	if i >= 0 {
		d.asked[i].answer <- r
		d.asked = slices.Delete(d.asked, i, i+1)
	}
	d.mu.Unlock()
	if r.bad != nil {
		return
	}
	if i < 0 && r.Op == "error" {
		d.violate(newViolation(Unasked, number, r.Op,
			quote(line)+": the error of a task carries its id, any other answers a request"))
	} else if i < 0 {
		d.wrong(Unasked, number, r.Op, "answer each request once")
	}
}

// settle gives a task its outcome.
func (d *Driver) settle(r *reply) {
	id := *r.ID
	d.mu.Lock()
	f, waits := d.pending[id]
	_, was := d.settled[id]
	if waits {
		delete(d.pending, id)
		d.settled[id] = struct{}{}
	}
	d.mu.Unlock()
	switch {
	case was:
		v := newViolation(AnsweredTwice, r.line, r.Op,
			fmt.Sprintf("task %d has its outcome already: answer each task once", id))
		v.Task = id
		d.violate(v)
	case !waits:
		d.wrong(UnknownID, r.line, r.Op, "task %d was never submitted: answer with the id of the request", id)
	case r.bad != nil:
		f.settle(Answer{}, r.bad)
	case r.Op == "error":
		f.settle(Answer{}, &TaskError{Text: *r.Error})
	default:
		f.settle(Answer{r.Value, r.PID, r.line}, nil)
	}
}

// wrong notes a violation.
func (d *Driver) wrong(kind Kind, line int, op, format string, args ...any) error {
	return d.violate(newViolation(kind, line, op, fmt.Sprintf(format, args...)))
}

// note keeps a violation and tells it.
func (d *Driver) note(v *Violation) (total int) {
	total, kept := d.broken.add(v)
	if kept {
		d.told(v)
	}
	return total
}

// violate notes a violation, and ends a driver that does nothing else.
func (d *Driver) violate(v *Violation) error {
	if d.note(v) == maxViolations {
		d.giveUp(newViolation(Flood, v.Line, "", fmt.Sprintf("%d violations, the last one: %s", maxViolations, v)))
	}
	return v
}

// giveUp ends a driver with which nothing more can be done.
func (d *Driver) giveUp(v *Violation) {
	d.note(v)
	d.mu.Lock()
	if d.fatal == nil {
		d.fatal = v
	}
	d.mu.Unlock()
	_ = d.endProgram()
}

// endProgram ends the driver with all it started. What cannot be ended no longer keeps the output from ending.
func (d *Driver) endProgram() error {
	err := d.program.End()
	_ = d.output.SetReadDeadline(time.Now().Add(exitGrace))
	return err
}

// finish fails everything that still waits.
func (d *Driver) finish() {
	end := d.cause()
	d.output.Close()
	d.mu.Lock()
	d.end = end
	pending := d.pending
	d.pending, d.asked = map[uint64]*Future{}, nil
	d.mu.Unlock()
	for _, f := range pending {
		f.settle(Answer{}, end)
	}
	close(d.gone)
}

// cause says why the output ended.
func (d *Driver) cause() error {
	d.mu.Lock()
	fatal, closing, blow := d.fatal, d.closing, d.blow
	d.mu.Unlock()
	switch {
	case fatal != nil:
	case closing:
		return ErrClosed
	case d.exits(exitGrace):
		fatal = newViolation(Died, 0, "", d.program.Exit().String()+" though nobody had asked it to stop"+blow)
		d.note(fatal)
	default:
		fatal = newViolation(Mute, 0, "", "its output is closed: keep the copy of descriptor 1 open until stop")
		d.giveUp(fatal)
	}
	return &GoneError{Violation: fatal, Stderr: d.program.Stderr()}
}

// Err is why there are no more answers, once Gone is closed: [*GoneError], or [ErrClosed]; nil before.
func (d *Driver) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.end
}

// exits waits for the driver's own process to end.
func (d *Driver) exits(limit time.Duration) bool {
	select {
	case <-d.program.Exited():
		return true
	case <-time.After(limit):
		return false
	}
}
