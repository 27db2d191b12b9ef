package pool

import (
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// worker is the parent's record of one worker process. Unless said otherwise its fields belong to who has the lock.
type worker struct {
	p        *Pool
	name     string
	slot     *slot // nil on the spare bench
	gen      int
	started  time.Time
	proc     process.Process // immutable once started
	board    process.Record  // of its tasks; nil before its start and after its burial
	state    State
	settled  int
	lastExit *Exit

	milestones
	ways
	workload
	pulse
	outbox
	inbox
}

// milestones are what others wait for in a worker's life.
type milestones struct {
	ready   chan *BootError // boot's outcome, one: nil when it is ready
	drained chan struct{}   // closed when the reader has read everything
	exited  chan struct{}   // closed when the process is reaped and drained
	stuck   chan struct{}   // closed when it could not be reaped in time
	adopted chan struct{}   // closed when a spare takes a slot
	death   death           // valid once exited is closed
}

// ways are how a worker came up, and how it comes to its end.
type ways struct {
	booting  bool // has not said ready, or why it is not
	readyAt  time.Time
	probe    bool   // the breaker's: if it stays up, the breaker closes
	reason   Reason // why the pool ends it
	asked    bool   // SIGTERM from outside: it said goodbye
	stopSent bool   // asked to exit
	killed   bool   // by the pool
	rejected error  // what it sent that no worker should
	charged  bool   // its end is charged to the task that it ran
	died     time.Time
	released bool // buried; the writer, if there is one, closes proc

	stopKill, quarantine, hangUp, settling *alarm // kills it when it does not stop; and so on
}

// workload is what is at a worker.
type workload struct {
	shares bool // of a worker of another language: large payloads go by shared memory
	// of a worker of another language: the handlers that it says that it has, and their indices
	tasks     map[string]uint16
	flight    inflight
	bytes     int           // of flight's payloads in the socket
	large     *call         // has an argument in the down arena
	place     int           // of large's argument there
	down, up  lending       // of memory in the arenas
	extent    extent        // of the up arena
	window    int           // how many tasks may be at it
	counted   int           // of that, in state.windows
	cost      time.Duration // moving average of a task's run time
	headSince time.Time     // since when the oldest task in flight can have been running
	pos       int           // in state.idle, -1 outside
	work      int           // its place in state.working, from 1; 0: it has no tasks
	slow      bool          // counted in state.slow
}

// pulse is what the keeper saw of a worker when it last looked.
type pulse struct {
	seen     uint32    // the running task
	seenAt   time.Time // the first look that found it running; zero: none was
	overdue  uint32    // the task that it is killed for, if that is for a timeout
	weighAt  time.Time // when its memory is looked at next
	pings    uint32
	pingedAt time.Time // of the ping that is not answered; zero: none
	// since when it has owed an answer and done nothing about it, as far as was seen; zero: it does not
	owesSince time.Time
	owesPing  uint32 // asked a while later, and once more before it is ended
	owesAsked int    // how often it was asked
}

// outbox is what is written to a worker.
type outbox struct {
	out      []byte // frames to write
	spareOut []byte
	dirty    bool // in state.eff
	writing  bool // somebody writes, who alone takes out
}

// inbox is what is read of a worker. The first five are for whoever reads.
type inbox struct {
	in         wire.Buffer
	readSize   int
	unreadable bool // it sent what no worker should
	mayStop    bool // the reader may stop
	awaited    int  // of the batch being received, how many results somebody waits for

	torn        bool          // the last that came is half a frame
	copying     bool          // a large result is being copied
	collected   uint64        // large results collected from the up arena
	unread      bool          // nobody reads
	unreadSince time.Duration // since when
	readAgain   chan struct{} // calls the reader back, once for each time that it stopped
}

// windows bound how many tasks are at a worker: about targetBacklog of work, in at most maxBytes of socket buffer.
const (
	maxWindow     = wire.ClaimWords / 2
	targetBacklog = time.Millisecond
	taskOverhead  = 500 * time.Nanosecond
	wakeTime      = 50 * time.Microsecond
	maxBytes      = 128 << 10
)

// room tells whether c may be sent to w now.
func (w *worker) room(c *call) bool {
	if w.flight.count >= w.window || w.flight.full() {
		return false
	}
	if limit := w.p.cfg.MaxTasks; limit > 0 && w.settled+w.flight.count >= limit {
		return false
	}
	if c.large() && w.large != nil {
		return false
	}
	return w.flight.count == 0 || w.bytes+c.size() <= maxBytes
}

// learn adapts the window to what tasks cost: it grows at most twofold a batch.
// The first batch tells little of the others unless it takes long: memory is touched for the first time. warm says that
// this one does. A batch counts as many times dearer than those before it at most, since a worker that had no processor
// for a while seems to have run a long task.
func (w *worker) learn(batch int, ran time.Duration) (per time.Duration, warm bool) {
	per = ran / time.Duration(batch)
	if w.settled <= batch {
		w.cost = per
	} else {
		w.cost += (min(per, muchDearer*(w.cost+taskOverhead)) - w.cost) / 4
	}
	want := int(targetBacklog / (w.cost + taskOverhead))
	w.window = max(1, min(want, 2*w.window, maxWindow))
	return per, w.settled > batch || per >= keeperTick
}

// short is how many tasks w runs in the time it takes to wake another worker; 0 while that is not known.
func (w *worker) short() int {
	if w.settled == 0 {
		return 0
	}
	return min(w.window, int(wakeTime/(w.cost+taskOverhead)))
}

// info describes w
func (w *worker) info() WorkerInfo {
	i := WorkerInfo{
		Name: w.name, Slot: -1, Generation: w.gen, State: w.state, Tasks: w.settled, InFlight: w.flight.count,
		Started: w.started, ParentPID: w.p.pid, LastExit: w.lastExit,
	}
	if w.slot != nil {
		i.Slot = w.slot.index
	}
	if w.proc != nil {
		i.PID = w.proc.PID()
	}
	if w.board != nil {
		phase, seq := w.board.Running()
		if i.Phase = Phase(phase); phase == wire.PhaseRunning && w.flight.get(seq) == nil {
			i.Phase = PhaseIdle // answered
		}
		i.Cgroup = w.proc.Cgroup()
	}
	return i
}

// kill ends w and everything it started, for the pool's own reason; a worker that is not reaped in time after that is
// quarantined.
func (w *worker) kill(st *state, reason Reason) {
	if w.proc == nil || w.state >= Stopped || !w.died.IsZero() {
		return
	}
	if !w.killed && (w.reason == ReasonNone || reason != ReasonStop) {
		w.reason = reason // what asked it to stop before is why it is made to stop now
	}
	again := w.killed
	w.killed = true
	serving := w.state == Ready
	if serving {
		st.withdraw(w) // before it can start the next task
	}
	w.proc.Kill()
	if serving {
		st.dispatch()
		st.notify()
	}
	if again || st.cfg.mutant == mutantNoQuarantine {
		return
	}
	w.quarantine = st.after(quarantineWait, func() {
		select {
		case <-w.exited:
		default:
			close(w.stuck)
		}
	})
}

// forget takes the task with that number out of w's hands.
func (w *worker) forget(st *state, seq uint32, c *call) {
	w.flight.remove(seq)
	if c.extra != nil {
		st.stopAlarm(c.extra.grace)
	}
	if w.large == c {
		w.large = nil
		w.bytes -= 16
	} else {
		w.bytes -= c.size()
	}
}

// unstart takes c back if w has not started it; false if it has, or sent a result for it.
func (w *worker) unstart(seq uint32, c *call) bool { return !c.begun && w.board.Revoke(seq) }
