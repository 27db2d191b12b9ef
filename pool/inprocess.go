package pool

import (
	"syscall"

	"github.com/respawn-go/respawn/internal/inprocess"
	"github.com/respawn-go/respawn/internal/wire"
)

// InProcess changes a config so that New makes workers that are goroutines of this process: for tests of code that uses
// a pool, which then need neither Main nor a second process, run on every operating system, and may share variables
// with their handlers. Everything else is the real pool: the same queue, protocol, codec, budgets, restarts and events.
// Package pooltest wraps it.
//
// What cannot be had that way: isolation (a handler that calls os.Exit ends the test), memory limits, output of one
// worker, and arguments or results over 4 MiB. PIDs are numbers that no process can have.
func InProcess(cfg Config) (Config, *InProcessWorkers) {
	w := &InProcessWorkers{}
	cfg.start = w.workers.Start
	if cfg.MaxPayload <= 0 || cfg.MaxPayload > inProcessPayload {
		cfg.MaxPayload = inProcessPayload
	}
	return cfg, w
}

// inProcessPayload leaves room in a frame for an idempotency key.
const inProcessPayload = Bytes(wire.MaxFrame - 64<<10)

// InProcessWorkers is the workers of a pool that was made with InProcess. Safe for concurrent use.
type InProcessWorkers struct{ workers inprocess.Workers }

// Kill ends the worker with that PID as a signal from outside would: SIGTERM asks it to finish its task and go, any
// other signal ends it. The context of the handler that it runs is cancelled, and what that handler returns is not seen
// by anybody. The error says that there is no such worker.
func (w *InProcessWorkers) Kill(pid int, sig syscall.Signal) error { return w.workers.Kill(pid, sig) }
