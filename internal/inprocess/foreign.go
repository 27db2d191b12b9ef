package inprocess

import (
	"runtime"
	"syscall"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// Foreign is a worker of another language: what docs/wire.md gives it is told by the methods that end in its own name.
// The others are the pool's side.
type Foreign struct {
	*worker
	Tickets *process.MemoryTickets
}

// Record is the pool's.
func (f *Foreign) Record() process.Record { return f.Tickets }

// TryWrite puts the tickets of what was offered before the frames.
func (f *Foreign) TryWrite(b []byte) (int, error) {
	f.Tickets.Issue()
	return f.worker.TryWrite(b)
}

// Write is TryWrite.
func (f *Foreign) Write(b []byte) error {
	_, err := f.TryWrite(b)
	return err
}

// ReadTasks reads the task socket; at its end, and once the worker is dead, the goroutine ends.
func (f *Foreign) ReadTasks(b []byte) int { return f.alive(f.tasks.read(b)) }

// ReadOrder reads the control socket likewise.
func (f *Foreign) ReadOrder() wire.Control {
	var b [wire.ControlSize]byte
	for n := 0; n < len(b); {
		n += f.alive(f.orders.read(b[n:]))
	}
	return wire.DecodeControl(b[:])
}

func (f *Foreign) alive(n int) int {
	if n == 0 {
		runtime.Goexit()
	}
	return n
}

// Answer writes to the task socket. A dead worker's goroutine ends there.
func (f *Foreign) Answer(b []byte) {
	if f.dead.Load() {
		runtime.Goexit()
	}
	f.results.write(b)
}

// Exit ends the worker and the goroutine.
func (f *Foreign) Exit(code int) {
	f.end(process.Status{Code: code})
	runtime.Goexit()
}

// Die ends it as a signal does.
func (f *Foreign) Die(sig syscall.Signal) {
	f.end(process.Status{Code: -1, Signal: sig})
	runtime.Goexit()
}
