package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// question is a request without an id. Its answer is known by its op; an error without an id answers the oldest one.
type question struct {
	want   string
	answer chan *reply
}

// ask sends a request and waits for its answer; an error answer is an error.
func (d *Driver) ask(ctx context.Context, r request, want string, limit time.Duration) (*reply, error) {
	a, err := d.exchange(ctx, r, want, limit)
	if err != nil {
		return nil, err
	}
	return d.accept(a, r.Op)
}

// exchange sends a request and waits for its answer. A question that was given up on stays in the list, so that its
// late answer is not taken for that of the next one.
func (d *Driver) exchange(ctx context.Context, r request, want string, limit time.Duration) (*reply, error) {
	q := &question{want: want, answer: make(chan *reply, 1)}
	d.mu.Lock()
	if d.end != nil {
		d.mu.Unlock()
		return nil, d.end
	}
	d.asked = append(d.asked, q)
	d.mu.Unlock()
	d.reading.Do(func() { go d.read() })
	if err := d.write(r); err != nil {
		return q.lastBreath(err)
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case a := <-q.answer:
		return a, nil
	case <-d.gone:
		return q.lastBreath(d.Err())
	case <-late.C:
		return nil, d.wrong(NoAnswer, 0, r.Op, "none within %v: want %s", limit, wanted[want])
	case <-ctx.Done():
		return nil, fmt.Errorf("driver: %s: %w", r.Op, ctx.Err())
	}
}

// lastBreath is the answer that a driver gave before it ended, or else the error.
func (q *question) lastBreath(err error) (*reply, error) {
	select {
	case a := <-q.answer:
		return a, nil
	default:
		return nil, err
	}
}

// accept turns an error answer into an error.
func (d *Driver) accept(r *reply, op string) (*reply, error) {
	switch {
	case r.bad != nil:
		return nil, r.bad
	case r.Op != "error":
		return r, nil
	case r.Install != "":
		return nil,
			&foreign.NotInstalledError{What: strings.TrimPrefix(*r.Error, "not installed: "), Install: r.Install}
	default:
		return nil, d.violate(newViolation(Refused, r.line, op, quote([]byte(*r.Error))))
	}
}

// write sends one line. A driver that does not take it in time is ended, since half a line cannot be taken back.
func (d *Driver) write(r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("driver: encode %s: %w", r.Op, err)
	}
	if line = append(line, '\n'); len(line) > MaxLine {
		return fmt.Errorf("driver: %s is %d bytes: a line has at most %d", r.Op, len(line), MaxLine)
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	_ = d.input.SetWriteDeadline(time.Now().Add(d.limits.Read))
	_, err = d.input.Write(line)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		d.giveUp(newViolation(Deaf, 0, r.Op, fmt.Sprintf("it did not read a request within %v", d.limits.Read)))
	case !errors.Is(err, os.ErrClosed) && !d.exits(exitGrace):
		d.giveUp(newViolation(Deaf, 0, r.Op, "it closed its standard input: read requests until it ends"))
	}
	<-d.gone
	return d.Err()
}
