package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// fatalWait is how long a victim may take to come to a fatal task: it finishes what it is running first.
const fatalWait = 30 * time.Second

// stressing is embedded in injections that make their victim do something to itself.
type stressing struct {
	chaos.Steps
	stresser chaos.Stresser
	cancel   context.CancelFunc
	done     chan struct{}  // closed when the victim has answered or is dead
	answer   chaos.Stressed // valid once done is closed
	err      error
}

// Setup wants a target that can stress its members.
func (s *stressing) Setup(_ context.Context, c *chaos.Case) (err error) {
	s.stresser, err = chaos.Capability[chaos.Stresser](c, "make a member harm itself")
	return err
}

// begin sends the stress to the victim and goes on.
func (s *stressing) begin(ctx context.Context, c *chaos.Case, what chaos.Stress) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done = make(chan struct{})
	what.PID = c.Victim.PID
	go func() {
		defer close(s.done)
		s.answer, s.err = s.stresser.Stress(ctx, c.Victim.Slot, what)
	}()
}

// ending waits for the victim to end of it; an answer instead is an error.
func (s *stressing) ending(ctx context.Context, c *chaos.Case) (chaos.Ending, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fatalWait, fmt.Errorf("the victim is alive after %v", fatalWait))
	defer cancel()
	select {
	case <-c.Victim.Exited():
	case <-s.done:
		if s.err != nil {
			return chaos.Ending{}, s.err
		}
		if s.answer != (chaos.Stressed{}) {
			return chaos.Ending{}, fmt.Errorf("the victim survived and answered %q", s.answer.Text)
		}
	case <-ctx.Done():
		return chaos.Ending{}, context.Cause(ctx)
	}
	return c.Ending(ctx)
}

// errDied is returned for a victim that ended where it was to answer.
var errDied = errors.New("the victim ended")

// answered waits for the victim's answer.
func (s *stressing) answered(ctx context.Context, c *chaos.Case) (chaos.Stressed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fatalWait, fmt.Errorf("no answer after %v", fatalWait))
	defer cancel()
	select {
	case <-s.done:
		if s.err == nil && s.answer == (chaos.Stressed{}) {
			return s.answer, errDied
		}
		return s.answer, s.err
	case <-c.Victim.Exited():
		return chaos.Stressed{}, errDied
	case <-ctx.Done():
		return chaos.Stressed{}, context.Cause(ctx)
	}
}

// Cleanup gives up what is not answered.
func (s *stressing) Cleanup(context.Context, *chaos.Case) error {
	if s.cancel != nil {
		s.cancel()
		<-s.done
	}
	return nil
}

// marked wants the marker in what the victim wrote, where the target tells that.
func marked(e chaos.Ending, marker string, r *history.Receipt) error {
	if e.Target == nil {
		return nil
	}
	if !strings.Contains(e.Stderr(), marker) {
		return fmt.Errorf("the victim ended with %s, but did not write %q", e, marker)
	}
	r.Evidence["marker"] = marker
	return nil
}
