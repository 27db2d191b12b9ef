package process

import "github.com/respawn-go/respawn/internal/wire"

// Record is what the parent knows of how far a worker is with the tasks sent to it, also when the worker is dead. The
// worker has a hand in it and is not trusted: what it does wrong can only hurt its own tasks. A [page] is shared
// memory, [tickets] a pipe. All methods are safe for concurrent use.
type Record interface {
	// Offer says that the task of that number will be sent. It is called before the frame is written, in the numbers'
	// order.
	Offer(seq uint32)
	// Revoke takes a task back that was offered; false means that the worker has taken it. together says that with one
	// task all are taken back which the worker has not taken: who tries to revoke one goes on to revoke the others,
	// also when the worker was quicker with that one.
	Revoke(seq uint32) bool
	Together() bool
	// Unstarted tells whether the worker has not taken the task.
	Unstarted(seq uint32) bool
	// Running is the worker's phase and the number of the task that it belongs to, the newest taken: it may be answered
	// already.
	Running() (wire.Phase, uint32)
	// Pong is the last ping that was answered; pinged is false for a worker that is not asked.
	Pong() (ping uint32, pinged bool)
	// Collected tells the worker how many large results have been collected from the arena, and the place where the
	// next one goes.
	Collected(n uint64, place int)
	// Arm sets the crash point; false means that the worker has none.
	Arm(at wire.CrashPoint) bool
	// Fault is what the worker did to the record that no worker should.
	Fault() error
}

var (
	_ Record = wire.Page{}
	_ Record = (*tickets)(nil)
)
