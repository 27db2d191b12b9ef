// Package pidfd holds processes by the descriptor that the kernel gives for one, and not by a number that may be
// somebody else's a moment later: it signals, awaits and reaps them by it (pidfd_open(2)).
//
// A child is reaped by its pidfd too, since others in the program may reap it: signal.Ignore(SIGCHLD) does it at each
// exit, and a wait for any child whenever it comes by. From then on the number may be a stranger's
// (docs/decisions/0033).
package pidfd

import (
	"errors"
	"syscall"
	"time"
)

// Unknown is the Code of a process that somebody else reaped, where the kernel does not tell how it ended.
const Unknown = -2

// Status is how a process ended, as the kernel tells.
type Status struct {
	Code         int // exit code; -1: Signal ended it; Unknown
	Signal       syscall.Signal
	User, System time.Duration // CPU time of the process and of what it waited for; of children alone
	MaxRSS       int64         // the largest resident set, in bytes; likewise
}

// ErrEnded is the error of a process that is not the one that was meant: that has ended.
var ErrEnded = errors.New("it ended by itself that moment")

// ErrNone is the error of a start that gave no pidfd.
var ErrNone = errors.New("this kernel gives no pidfd: Linux 5.4 or later is needed")
