package chaos

import (
	"context"

	"github.com/respawn-go/respawn/chaos/history"
)

// probe runs a probe task on the slot and records how that went: after is the injection whose victim's end it follows, 0
// for the check at the end. It reports whether the slot has answered.
func (x *experiment) probe(ctx context.Context, slot, after int) bool {
	x.record(history.Event{Probe: &history.Probe{Slot: slot, Op: history.Sent, For: after}})
	pid, err := x.Target.Probe(ctx, slot)
	p := &history.Probe{Slot: slot, Op: history.Answered, For: after, PID: pid}
	if err != nil {
		p.Op, p.Err = history.NoAnswer, err.Error()
	}
	x.record(history.Event{Probe: p})
	return err == nil
}

// probeAfterDeath sends a probe to the victim's slot as soon as the victim has ended, so that it is the first task of the
// replacement. The function it returns ends the watch; the probe itself may go on until ctx is done.
func (x *experiment) probeAfterDeath(ctx context.Context, n int, v *Victim) (end func()) {
	over, watched := make(chan struct{}), make(chan struct{})
	x.probes.Add(1)
	x.countProbe(1)
	go func() {
		defer x.probes.Done()
		defer x.countProbe(-1)
		select {
		case <-v.Exited():
		case <-over:
		}
		died := v.Gone()
		close(watched)
		if died && ctx.Err() == nil {
			x.probe(ctx, v.Slot, n)
		}
	}()
	return func() { close(over); <-watched }
}

func (x *experiment) countProbe(by int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.probing += by
}
