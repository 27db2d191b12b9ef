package pool

import (
	"context"
	"log/slog"
	"time"

	"github.com/respawn-go/respawn/internal/spool"
)

const (
	maxRecords = 1000        // that may wait for the handler
	logWait    = time.Second // for what was not written when the pool ended
)

// newJournal hands records to the user's handler: where they are made the lock is held, and a handler may call the pool, or block.
func newJournal(to *slog.Logger) spool.Spool[slog.Record] {
	return spool.Spool[slog.Record]{Most: maxRecords, Deliver: func(records []slog.Record, dropped int) {
		if dropped > 0 {
			r := slog.NewRecord(time.Now(), slog.LevelWarn, "records were dropped: the log handler is too slow", 0)
			r.Add("records", dropped)
			records = append(records, r)
		}
		for _, r := range records {
			if to.Enabled(context.Background(), r.Level) {
				_ = to.Handler().Handle(context.Background(), r) // as slog.Logger does
			}
		}
	}}
}

func (p *Pool) log(level slog.Level, msg string, args []any) {
	if p.cfg.Logger == nil {
		return
	}
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.Add(args...)
	p.journal.Add([]slog.Record{r})
}

func (p *Pool) info(msg string, args ...any) { p.log(slog.LevelInfo, msg, args) }

func (p *Pool) warn(msg string, args ...any) { p.log(slog.LevelWarn, msg, args) }

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
