package chaos

import (
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/chaos/history"
)

// ErrTargetGone is returned by Do when the target ended as a whole, by itself.
var ErrTargetGone = errors.New("chaos: the target is gone")

// watchLife ends the run at once when the target ends though no fault is to end it: waiting for what is gone to recover
// shows nothing, and what it leaves behind would look like the cause. The function that it returns ends the watch.
func (x *experiment) watchLife() (end func()) {
	target, ok := x.Target.(Mortal)
	if !ok || x.endsParent() {
		return func() {}
	}
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-target.Gone():
			x.record(history.Event{Alarm: &history.Alarm{Kind: history.AlarmGone, Text: target.Epitaph()}})
			x.cancel(fmt.Errorf("%w: %s", ErrTargetGone, target.Epitaph()))
		case <-over:
		}
	}()
	return func() { close(over); <-watched }
}

// endsParent tells whether a fault of the run is to end the target's parent.
func (x *experiment) endsParent() bool {
	for _, s := range x.shots {
		if s.Fault.Traits().EndsParent {
			return true
		}
	}
	return false
}
