package pool

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

func (p *Pool) info(msg string, args ...any) { p.journal.add(p.cfg.Logger, slog.LevelInfo, msg, args) }

func (p *Pool) warn(msg string, args ...any) { p.journal.add(p.cfg.Logger, slog.LevelWarn, msg, args) }

// journal hands records to the user's handler in their order, from a goroutine that is there only while there are any: where
// they are made the lock is held, and a handler may call the pool, or block.
type journal struct {
	mu      sync.Mutex
	waiting []slog.Record
	dropped int           // for want of room
	idle    chan struct{} // closed when the goroutine has ended; nil when there is none
}

const (
	maxJournal  = 1000        // records that may wait
	journalWait = time.Second // for what was not written when the pool ended
)

func (j *journal) add(to *slog.Logger, level slog.Level, msg string, args []any) {
	if to == nil {
		return
	}
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.Add(args...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == maxJournal {
		j.dropped++
		return
	}
	j.waiting = append(j.waiting, r)
	if j.idle == nil {
		j.idle = make(chan struct{})
		go j.write(to.Handler(), j.idle)
	}
}

func (j *journal) write(to slog.Handler, idle chan struct{}) {
	defer close(idle)
	for {
		j.mu.Lock()
		list, dropped := j.waiting, j.dropped
		j.waiting, j.dropped = nil, 0
		if len(list) == 0 {
			j.idle = nil
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()
		if dropped > 0 {
			r := slog.NewRecord(time.Now(), slog.LevelWarn, "records were dropped: the log handler is too slow", 0)
			r.Add("records", dropped)
			list = append(list, r)
		}
		for _, r := range list {
			if to.Enabled(context.Background(), r.Level) {
				_ = to.Handle(context.Background(), r) // as slog.Logger does
			}
		}
	}
}

// wait waits until everything is written, though not for long.
func (j *journal) wait() {
	j.mu.Lock()
	idle := j.idle
	j.mu.Unlock()
	if idle == nil {
		return
	}
	late := time.NewTimer(journalWait)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}

// logExit tells an exit at the level it deserves.
func (p *Pool) logExit(w *worker, x Exit) {
	tell := p.info
	if x.Kind != KindClean && x.Reason != ReasonStop && x.Reason != ReasonRecycle && x.Reason != ReasonRestart {
		tell = p.warn
	}
	args := []any{"worker", x.Worker, "pid", x.PID, "exit", x.String(), "settled", w.settled}
	if x.TaskID != 0 {
		args = append(args, "task", x.TaskID)
	}
	if tail := lastLine(x.Stderr); tail != "" {
		args = append(args, "tail", tail)
	}
	tell("worker exited", args...)
}
