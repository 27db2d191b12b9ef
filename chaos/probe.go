package chaos

import (
	"context"

	"github.com/respawn-go/respawn/chaos/history"
)

// probe runs a probe task on the slot and records how that went: after is the injection whose victim's end it follows,
// 0 for the check at the end. It reports whether the slot has answered.
func (x *experiment) probe(ctx context.Context, p Prober, slot, after int) bool {
	x.record(history.Event{Probe: &history.Probe{Slot: slot, Op: history.Sent, For: after}})
	pid, err := p.Probe(ctx, slot)
	end := &history.Probe{Slot: slot, Op: history.Answered, For: after, PID: pid}
	if err != nil {
		end.Op, end.Err = history.NoAnswer, err.Error()
	}
	x.record(history.Event{Probe: end})
	return err == nil
}

// probeAfterDeath sends a probe to the victim's slot as soon as the victim has ended, so that it is the first task of
// the replacement; on a target that answers no probes it does nothing. The function it returns ends the watch; the
// probe itself may go on until ctx is done.
func (x *experiment) probeAfterDeath(ctx context.Context, n int, v *Victim) (end func()) {
	p, ok := x.Target.(Prober)
	if !ok {
		return func() {}
	}
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
		if died && ctx.Err() == nil && v.Slot < x.Target.Want() { // one more than are wanted needs no successor
			x.probe(ctx, p, v.Slot, n)
		}
	}()
	return func() { close(over); <-watched }
}

func (x *experiment) countProbe(by int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.probing += by
}
