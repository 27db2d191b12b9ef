package broker

import (
	"fmt"
	"log/slog"
	"sync"
)

// serverLog passes on what a server says that somebody should know. It ends no program, whatever the server thinks of
// that.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	worst string // the last error
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worst
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, args ...any) { l.log.Warn(fmt.Sprintf(format, args...)) }

func (l *serverLog) Errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	l.worst = text
	l.mu.Unlock()
	l.log.Error(text)
}

func (l *serverLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
