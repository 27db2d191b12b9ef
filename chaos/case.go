package chaos

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Case is what the steps of one injection know and may use.
type Case struct {
	Target   Target
	Victim   *Victim // nil for a fault of the target as a whole
	Guardian Guardian
	Until    time.Duration // when the chaos stage is planned to end, for faults that last as long

	clock  *clock
	exit   *exitWatch // the target's word on the victim's end; nil without a victim
	ownOOM func(w who, n int64)
	claims *claims
	// pending tells whether an injection that waits for no other is yet to come or going on, recovered whether the
	// target is whole.
	pending   func() bool
	recovered func(context.Context) bool
	holdAll   func(context.Context) ([]*Victim, func(), error)
}

// Now is the time since the start of the run, as in the history.
func (c *Case) Now() time.Duration { return c.clock.now() }

// Pending tells whether an injection that waits for no other is yet to come or going on: see Traits.OpenEnded.
func (c *Case) Pending() bool { return c.pending() }

// Recovered tells whether the target has the members that it wants, and whoever was to answer has answered.
func (c *Case) Recovered(ctx context.Context) bool { return c.recovered(ctx) }

// Claim takes what only one injection of a run may have at a time, by its name. ok is false while another one has it.
func (c *Case) Claim(what string) (release func(), ok bool) { return c.claims.claim(what) }

// claims is who has what. Safe for concurrent use.
type claims struct{ taken sync.Map }

func (c *claims) claim(what string) (release func(), ok bool) {
	_, taken := c.taken.LoadOrStore(what, true)
	return func() { c.taken.Delete(what) }, !taken
}

// CountOOM tells the run that a fault made the kernel's OOM killer kill n times, so that the host's counter growing is
// not taken for trouble from elsewhere.
func (c *Case) CountOOM(n int64) {
	var w who
	if v := c.Victim; v != nil {
		w = who{v.PID, v.Slot, v.Generation}
	}
	c.ownOOM(w, n)
}

// Exit waits for the target's own record of the victim's end, which has the wait status when the target is its parent.
// The error is ctx's; a target that does not tell exits never does.
func (c *Case) Exit(ctx context.Context) (history.MemberEvent, error) {
	if c.exit == nil {
		return history.MemberEvent{}, errNoVictim
	}
	select {
	case m := <-c.exit.seen:
		c.exit.seen <- m // for the next one who asks
		return m, nil
	case <-ctx.Done():
		return history.MemberEvent{}, ctx.Err()
	}
}

// errNoVictim is a fault's mistake: it befalls the target as a whole and asks how its victim ended.
var errNoVictim = errors.New("chaos: a fault without a victim asks for its end")

// Tells says whether the target tells that of itself: see history.Target.Can.
func (c *Case) Tells(what string) bool {
	for _, can := range c.Target.Describe().Can {
		if can == what {
			return true
		}
	}
	return false
}

// HoldAll takes hold of every member that the target lists, for a fault on the whole that does something to each, so
// that nobody else strikes one of them until letGo is called. It is refused while another injection has one.
func (c *Case) HoldAll(ctx context.Context) (members []*Victim, letGo func(), err error) {
	return c.holdAll(ctx)
}

// ContinuesAnyway sees to it that a process which is about to be stopped goes on whatever becomes of the harness, until
// done is called. The injection is refused where nobody could do that: nothing is stopped then.
func (c *Case) ContinuesAnyway(pid int) (done func(), err error) {
	done, err = c.Guardian.Continue(pid)
	if err != nil {
		return nil, Refuse("nobody would continue process %d if this one were killed, so that it is not stopped: %v",
			pid, err)
	}
	return done, nil
}

// Capability gives the target as T, or refuses the injection by the name of what the target lacks.
func Capability[T any](c *Case, what string) (T, error) {
	t, ok := c.Target.(T)
	if !ok {
		return t, Refuse("the %s target cannot %s", c.Target.Describe().Kind, what)
	}
	return t, nil
}

// Hold waits for d, or until the victim ends or ctx is done. It reports whether the victim ended.
func (c *Case) Hold(ctx context.Context, d time.Duration) (ended bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false, nil
	case <-c.Victim.Exited():
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Guardian undoes what lasts when the harness itself is killed.
type Guardian interface {
	// Continue sends SIGCONT to pid once this process is gone, until done is called. It returns once that is certain.
	Continue(pid int) (done func(), err error)
	// Undo writes value to the file once this process is gone, until done is called.
	Undo(path, value string) (done func(), err error)
}

// noGuardian is for runs without one.
type noGuardian struct{}

func (noGuardian) Continue(int) (func(), error)        { return func() {}, nil }
func (noGuardian) Undo(string, string) (func(), error) { return func() {}, nil }
