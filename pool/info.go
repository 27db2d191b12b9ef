package pool

import (
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
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
	Name string // Worker-1, Worker-2, …: never reused within a pool
	// 0 to Size-1: the place it fills; a replacement has its predecessor's slot; -1 on the spare bench
	Slot       int
	PID        int // 0 while it is being started
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

// Phase is what a worker's protocol loop is doing at this moment, read from its scoreboard page. A worker is not
// trusted to tell the truth about it.
type Phase uint8

// The phases of a worker.
const (
	PhaseBooting  = Phase(wire.PhaseBooting)  // before ready: program start, initializer
	PhaseIdle     = Phase(wire.PhaseIdle)     // waiting for a task
	PhaseReading  = Phase(wire.PhaseReading)  // has bytes of tasks, runs none
	PhaseRunning  = Phase(wire.PhaseRunning)  // a handler runs
	PhaseWriting  = Phase(wire.PhaseWriting)  // the handler returned; its result is being encoded or written
	PhaseDraining = Phase(wire.PhaseDraining) // stopping: finishes the running task and hands back the rest
)

func (p Phase) String() string {
	return [...]string{"booting", "idle", "reading", "running", "writing", "draining"}[min(p, PhaseDraining)]
}

// CrashPoint names a place in a worker's protocol loop where it can be made to die: see [Pool.ArmCrashPoint].
type CrashPoint uint64

// The crash points. At each the worker raises SIGKILL on itself.
const (
	CrashNone        = CrashPoint(wire.CrashNone)
	CrashBeforeRead  = CrashPoint(wire.CrashBeforeRead)  // tasks have arrived, none is started
	CrashAfterRead   = CrashPoint(wire.CrashAfterRead)   // a task is claimed, its handler has not been called
	CrashMidExec     = CrashPoint(wire.CrashMidExec)     // the handler is running: 1 ms after its call
	CrashMidWrite    = CrashPoint(wire.CrashMidWrite)    // half of a result frame is written
	CrashAfterWrite  = CrashPoint(wire.CrashAfterWrite)  // a result frame is written whole
	CrashDuringDrain = CrashPoint(wire.CrashDuringDrain) // asked to stop, before it exits
)

func (c CrashPoint) String() string { return wire.CrashPoint(c).String() }
