package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/spool"
)

// Discard is for [Config.Stdout] and [Config.Stderr]: the workers' lines go nowhere.
func Discard(string, []byte) {}

// discards tells whether a sink is Discard, for which no pipe is needed.
func discards(sink func(string, []byte)) bool {
	return reflect.ValueOf(sink).Pointer() == reflect.ValueOf(Discard).Pointer()
}

const (
	maxPassThrough  = 1 << 20     // bytes that may wait
	passThroughWait = time.Second // for what was not written when the pool ended
)

// passThrough writes workers' lines, each with its worker's name, to a stream of this process. Whoever has a line
// leaves it here and goes on; what finds no room is dropped and counted.
type passThrough struct {
	to *os.File // taken by New: a program may set os.Stdout later
	spool.Spool[byte]
}

func newPassThrough(to *os.File) passThrough {
	return passThrough{to, spool.Spool[byte]{Most: maxPassThrough, Deliver: func(lines []byte, dropped int) {
		if dropped > 0 {
			lines = fmt.Appendf(lines,
				"respawn: %d lines of the workers were dropped here: they came faster than they were read\n", dropped)
		}
		put(to, lines)
	}}}
}

// sink is where a worker's lines go: to the caller's function, or by default through here; nil when they are not
// wanted.
func (s *passThrough) sink(own func(string, []byte), worker string) func(line []byte) {
	switch {
	case own == nil && s.to == nil, own != nil && discards(own):
		return nil
	case own == nil:
		name := []byte(worker + ": ")
		return func(line []byte) { s.Add(name, line, []byte{'\n'}) }
	}
	return func(line []byte) { own(worker, line) }
}

// put writes all of b, or what can be. It goes around os.File, which ends the program when stdout or stderr is a pipe
// that nobody reads any more (os/signal, "SIGPIPE"): that is for what the program itself writes.
func put(to *os.File, b []byte) {
	raw, err := to.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Write(func(fd uintptr) bool {
		for len(b) > 0 {
			n, err := syscall.Write(int(fd), b)
			b = b[max(n, 0):]
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false
			case err != nil && !errors.Is(err, syscall.EINTR):
				return true
			}
		}
		return true
	})
}

const (
	maxRecords = 1000        // that may wait for the handler
	logWait    = time.Second // for what was not written when the pool ended
)

// newJournal hands records to the user's handler: where they are made the lock is held, and a handler may call the
// pool, or block.
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

func (p *Pool) log(at time.Time, level slog.Level, msg string, args ...any) {
	if p.cfg.Logger == nil {
		return
	}
	r := slog.NewRecord(at, level, msg, 0)
	r.Add(args...)
	p.journal.Add([]slog.Record{r})
}

// warn logs what is no event.
func (p *Pool) warn(msg string, args ...any) { p.log(time.Now(), slog.LevelWarn, msg, args...) }

// tell logs an event, if it is one of those that Config.Logger gets.
func (st *state) tell(e Event) {
	switch w, x := e.Worker, e.Exit; e.Kind {
	case WorkerReady:
		st.log(e.At, slog.LevelInfo, "worker ready",
			"worker", w.Name, "pid", w.PID, "slot", w.Slot, "generation", w.Generation)
	case WorkerExited:
		level, args := slog.LevelInfo, []any{"worker", w.Name, "pid", w.PID, "exit", x.String(), "settled", w.Tasks}
		if x.Kind != KindClean && x.Reason != ReasonStop && x.Reason != ReasonRecycle && x.Reason != ReasonRestart {
			level = slog.LevelWarn
		}
		if x.TaskID != 0 {
			args = append(args, "task", x.TaskID)
		}
		if tail := lastLine(x.Stderr); tail != "" {
			args = append(args, "tail", tail)
		}
		st.log(e.At, level, "worker exited", args...)
	case BootFailed:
		st.log(e.At, slog.LevelWarn, "a worker did not come up", "worker", w.Name, "err", e.Err)
	case BreakerOpened:
		st.log(e.At, slog.LevelWarn, "workers do not come up: waiting before the next start",
			"failures", st.breaker.Failures(), "delay", e.Delay, "cause", e.Err)
	}
}
