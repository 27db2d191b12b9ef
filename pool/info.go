package pool

import (
	"fmt"
	"time"
)

// State is where a worker is in its life, as the pool sees it: see docs/architecture.md for the diagram.
type State uint8

// The states of a worker.
const (
	Starting    State = iota // the process was started and is not ready yet
	Ready                    // takes tasks
	Retiring                 // asked to stop; finishes what it is running and gets nothing new
	Stopped                  // exited and reaped
	Quarantined              // cannot be reaped (state D): its slot went on without it
)

func (s State) String() string {
	return [...]string{"starting", "ready", "retiring", "stopped", "quarantined"}[min(s, Quarantined)]
}

// WorkerInfo describes one worker process at one moment. It is a copy and safe to keep.
type WorkerInfo struct {
	Name       string // Worker-1, Worker-2, …: never reused within a pool
	Slot       int    // 0 to Size-1: the place it fills; a replacement has its predecessor's slot; -1 on the spare bench
	PID        int    // 0 while it is being started
	ParentPID  int
	Generation int // 1 for the first worker of the slot, counting up
	State      State
	Phase      Phase     // what its scoreboard says now; meaningful in Ready and Retiring
	Tasks      int       // tasks it has settled
	InFlight   int       // tasks sent to it and not settled
	Started    time.Time // when the process was started
	LastExit   *Exit     // how its predecessor in the slot, or if it is stopped it itself, ended; nil if neither did
	Cgroup     string    // its memory cgroup's directory, "" without one
}

// String prints in the manner of Python's multiprocessing listing:
// <Worker-2 pid=10092 parent=10089 stopped exitcode=-SIGKILL>.
func (w WorkerInfo) String() string {
	s := fmt.Sprintf("<%s pid=%d parent=%d %s", w.Name, w.PID, w.ParentPID, w.State)
	if w.State == Stopped && w.LastExit != nil {
		s += " exitcode=" + w.LastExit.code()
	}
	return s + ">"
}
