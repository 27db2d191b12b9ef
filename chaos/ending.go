package chaos

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Where the knowledge of a victim's end comes from, best first.
const (
	TierWaitStatus = "wait status"     // the target reaped it and tells
	TierExitInfo   = "pidfd exit info" // the kernel tells the holder of a pidfd
	TierReadable   = "pidfd readable"  // it was alive before and is not any more: how it ended is not known
)

// Ending is how a victim ended, by the best evidence there is.
type Ending struct {
	Tier   string
	At     time.Duration // when its pidfd said so
	Code   int           // exit code; -1 when a signal ended it; unknown at TierReadable
	Signal string        // SIGKILL, …; "" when it exited
	Target *history.Exit // the target's own record, if it tells exits
	Reason string        // why the target itself ended it, if it did
	Kernel string        // what the kernel says, "" when it does not: "signal SIGKILL"
}

const (
	exitEventWait = 5 * time.Second // for a target that tells exits to tell this one
	exitInfoWait  = time.Second     // for the victim to be reaped
)

// Ending waits for the end of the victim and finds out how it was. The error is ctx's.
func (c *Case) Ending(ctx context.Context) (e Ending, err error) {
	e.Tier = TierReadable
	if e.At, err = c.Victim.Await(ctx); err != nil {
		return e, err
	}
	if c.Tells("exits") {
		soon, cancel := context.WithTimeout(ctx, exitEventWait)
		defer cancel()
		if m, err := c.Exit(soon); err == nil && m.Exit != nil {
			e.Tier, e.Code, e.Signal = TierWaitStatus, m.Exit.Code, m.Exit.Signal
			e.Target, e.Reason = m.Exit, m.Reason
		}
	}
	status, ok := c.exitInfo(ctx)
	if !ok {
		return e, ctx.Err()
	}
	code, signal := status.ExitStatus(), ""
	e.Kernel = "exit " + strconv.Itoa(code)
	if status.Signaled() {
		signal = unix.SignalName(status.Signal())
		e.Kernel = "signal " + signal
	}
	if e.Tier == TierReadable || e.Code != code || e.Signal != signal { // the kernel does not err
		e.Tier, e.Code, e.Signal = TierExitInfo, code, signal
	}
	return e, nil
}

// exitInfo waits a while for the kernel's word: it gives it once the victim has been reaped.
func (c *Case) exitInfo(ctx context.Context) (status syscall.WaitStatus, ok bool) {
	if !hasExitInfo() {
		return 0, false
	}
	for deadline := time.Now().Add(exitInfoWait); ; {
		status, ok = c.Victim.ExitInfo()
		if ok || time.Now().After(deadline) || wait.For(ctx, time.Millisecond) != nil {
			return status, ok
		}
	}
}

// Known tells whether it is known how the victim ended.
func (e Ending) Known() bool { return e.Tier != TierReadable }

// String is "signal SIGKILL", "exit 0" or "ended".
func (e Ending) String() string {
	switch {
	case !e.Known():
		return "ended"
	case e.Signal != "":
		return "signal " + e.Signal
	}
	return "exit " + strconv.Itoa(e.Code)
}

// Stderr is the tail of what the victim wrote, where the target tells.
func (e Ending) Stderr() string {
	if e.Target == nil {
		return ""
	}
	return e.Target.Stderr
}

// Receipt is the ending as evidence.
func (e Ending) Receipt() history.Receipt {
	r := history.Receipt{Tier: e.Tier, At: e.At, Evidence: map[string]string{"ended": e.String()}}
	if e.Kernel != "" {
		r.Evidence["kernel"] = e.Kernel
	}
	if e.Target != nil {
		r.Evidence["target"] = fmt.Sprintf("code %d", e.Target.Code)
		if e.Target.Signal != "" {
			r.Evidence["target"] = "signal " + e.Target.Signal
		}
	}
	if e.Reason != "" {
		r.Evidence["reason"] = e.Reason
	}
	return r
}
