package wire

// Phase is what a worker's protocol loop is doing at this moment, read from its scoreboard page. A worker is not
// trusted to tell the truth about it.
type Phase uint8

// The phases of a worker.
const (
	PhaseBooting  Phase = iota // before ready: program start, initializer
	PhaseIdle                  // waiting for a task
	PhaseReading               // has bytes of tasks, runs none
	PhaseRunning               // a handler runs
	PhaseWriting               // the handler returned; its result is being encoded or written
	PhaseDraining              // stopping: finishes the running task and hands back the rest
)

func (p Phase) String() string {
	return [...]string{"booting", "idle", "reading", "running", "writing", "draining"}[min(p, PhaseDraining)]
}
