package own

import (
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/pool"
)

// eventRoom is how many events may wait for the harness before some are lost.
const eventRoom = 1 << 16

// ops are the history's words for the pool's events; the others are the pool's own business.
var ops = map[pool.EventKind]history.MemberOp{
	pool.WorkerStarted: history.Started, pool.WorkerReady: history.Ready, pool.WorkerRetiring: history.Retiring,
	pool.WorkerExited: history.Exited, pool.WorkerQuarantined: history.Quarantined, pool.BootFailed: history.BootFailed,
	pool.BreakerOpened: history.BreakerOpened, pool.BreakerClosed: history.BreakerClosed,
	pool.TaskRequeued: history.Requeued, pool.TaskLost: history.TaskLost,
	pool.LateResult:    history.Late,
	pool.FrameRejected: history.BadAnswer,
}

// Watch implements chaos.Target.
func (t *Pool) Watch(fn func(history.MemberEvent)) (stop func() uint64) {
	sub := t.Subscribe(eventRoom)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range sub.C {
			if op, ok := ops[e.Kind]; ok {
				fn(member(op, e))
			}
		}
	}()
	return func() uint64 {
		sub.Close()
		<-done
		return sub.Dropped()
	}
}

// member is an event as the history has it.
func member(op history.MemberOp, e pool.Event) history.MemberEvent {
	m := history.MemberEvent{
		Op: op, Slot: e.Worker.Slot, Gen: e.Worker.Generation, PID: e.Worker.PID, Name: e.Worker.Name,
		Reason: e.Reason.String(), Task: e.TaskID, Blamed: e.Blamed, At: chaos.Monotonic(e.At),
	}
	if e.Err != nil {
		m.Err = e.Err.Error()
	}
	if x := e.Exit; x != nil && e.Kind == pool.WorkerExited {
		m.Reason = x.Reason.String()
		m.Exit = &history.Exit{
			Code: x.Code, Kind: x.Kind.String(), OOM: x.OOM, Task: x.TaskID, Tasks: x.Settled, Stderr: x.Stderr,
			MaxRSS: int64(x.MaxRSS),
		}
		if x.Signal != 0 {
			m.Exit.Signal = unix.SignalName(x.Signal)
		}
	}
	return m
}
