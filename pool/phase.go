package pool

import "github.com/respawn-go/respawn/internal/wire"

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
