// Package floor measures what this machine can do at best with raw code: no pool, no protocol, no bookkeeping. The
// figures of a pool are judged against these, taken in the same run, because machines differ and ratios hold.
//
// Each floor uses a child that is this program executed again, so that parent and child pay what a pool of Go workers
// pays, and one socket pair: non-blocking and in the netpoller on the parent's side, blocking on the child's.
package floor

import "errors"

// ErrUnsupported is returned by every measurement on an operating system without the means for it.
var ErrUnsupported = errors.New("floors are not supported on this operating system: run on Linux")

// PayloadSize is what a task of the pipe and ping-pong floors carries each way, in bytes.
const PayloadSize = 8
