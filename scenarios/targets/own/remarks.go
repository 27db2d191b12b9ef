package own

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// remarks is a log handler that keeps what a pool warns of for the record of a run, each kind once: that memory is
// limited by other means than was asked for, for one. Safe for concurrent use.
type remarks struct {
	mu   sync.Mutex
	told map[string]bool // by message
	list []string        // until somebody hears them
	hear func(text string)
}

// Enabled implements slog.Handler.
func (*remarks) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (m *remarks) Handle(_ context.Context, r slog.Record) error {
	words, exit := []string{"the pool warns: " + r.Message}, false
	r.Attrs(func(a slog.Attr) bool {
		words = append(words, a.Key+": "+a.Value.String())
		exit = exit || a.Key == "exit"
		return true
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if exit || m.told[r.Message] { // who exited is an event of the record
		return nil
	}
	m.told[r.Message] = true
	text := strings.Join(words, ", ")
	if m.hear == nil {
		m.list = append(m.list, text)
	} else {
		m.hear(text)
	}
	return nil
}

// WithAttrs implements slog.Handler. The pool gives each record all that it has.
func (m *remarks) WithAttrs([]slog.Attr) slog.Handler { return m }

// WithGroup implements slog.Handler.
func (m *remarks) WithGroup(string) slog.Handler { return m }

// Remarks implements chaos.Remarking.
func (s *Started) Remarks(hear func(text string)) {
	if s.remarks == nil {
		return // the pool has a logger of its caller's
	}
	s.remarks.mu.Lock()
	defer s.remarks.mu.Unlock()
	for _, text := range s.remarks.list {
		hear(text)
	}
	s.remarks.list, s.remarks.hear = nil, hear
}
