package pool

// record is what the parent knows of how far a worker is with the tasks sent to it, also when the worker is dead. The worker
// has a hand in it and is not trusted: what it does wrong can only hurt its own tasks. A [page] is shared memory, [tickets]
// a pipe. All methods are safe for concurrent use.
type record interface {
	// offer says that the task of that number will be sent. It is called before the frame is written, in the numbers' order.
	offer(seq uint32)
	// revoke takes a task back that was offered; false means that the worker has taken it. together says that with one task
	// all are taken back which the worker has not taken: who tries to revoke one goes on to revoke the others, also when the
	// worker was quicker with that one.
	revoke(seq uint32) bool
	together() bool
	// unstarted tells whether the worker has not taken the task.
	unstarted(seq uint32) bool
	// running is the worker's phase and the number of the task that it belongs to, the newest taken: it may be answered already.
	running() (Phase, uint32)
	// pong is the last ping that was answered; pinged is false for a worker that is not asked.
	pong() (ping uint32, pinged bool)
	// collected tells the worker how many large results have been copied out of the arena.
	collected(n uint64)
	// arm sets the crash point; false means that the worker has none.
	arm(at CrashPoint) bool
	// fault is what the worker did to the record that no worker should.
	fault() error
}

var (
	_ record = page{}
	_ record = (*tickets)(nil)
)
