package poollog

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"

	"github.com/respawn-go/respawn/pool"
)

const (
	separator  = '\x1e' // before each record: RFC 7464
	maxRecord  = 32 << 10
	maxMessage = 4 << 10
)

// handler writes records as slog.JSONHandler does, behind what it knows of the worker.
type handler struct {
	json  slog.Handler // writes to line.buf
	plain slog.Handler // likewise, without attributes: for a record that is too large
	line  *line
}

// line is the one that is being written; the handlers that are derived from each other share it.
type line struct {
	mu  sync.Mutex
	buf bytes.Buffer
	to  io.Writer
}

func newHandler(to io.Writer, opts *slog.HandlerOptions) slog.Handler {
	var o slog.HandlerOptions
	if opts != nil {
		o = *opts
	}
	own := o.ReplaceAttr
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if own != nil {
			a = own(groups, a)
		}
		if v := a.Value.Resolve(); v.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(v.Duration().String())
		}
		return a
	}
	l := &line{to: to}
	h := slog.NewJSONHandler(&l.buf, &o)
	return &handler{json: h, plain: h, line: l}
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.json.Enabled(ctx, level)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{json: h.json.WithAttrs(attrs), plain: h.plain, line: h.line}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{json: h.json.WithGroup(name), plain: h.plain, line: h.line}
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	l := h.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fill(ctx, h.json, r); err != nil {
		return err
	}
	if size := l.buf.Len(); size > maxRecord {
		small := slog.NewRecord(r.Time, r.Level, r.Message[:min(len(r.Message), maxMessage)], r.PC)
		small.AddAttrs(slog.Int("cut", size))
		if err := l.fill(ctx, h.plain, small); err != nil {
			return err
		}
	}
	_, err := l.to.Write(l.buf.Bytes())
	return err
}

// fill renders a record as one line.
func (l *line) fill(ctx context.Context, json slog.Handler, r slog.Record) error {
	l.buf.Reset()
	l.buf.WriteByte(separator)
	begin := l.buf.Len()
	if err := json.Handle(ctx, r); err != nil {
		return err
	}
	rest := bytes.Clone(l.buf.Bytes()[begin+1:]) // after its brace
	l.buf.Truncate(begin)
	l.buf.WriteString(`{"pid":` + strconv.Itoa(os.Getpid()))
	if attempt := pool.Attempt(ctx); attempt > 0 {
		l.buf.WriteString(`,"task":` + strconv.FormatUint(pool.TaskID(ctx), 10) + `,"attempt":` + strconv.Itoa(attempt))
	}
	if !bytes.HasPrefix(rest, []byte{'}'}) {
		l.buf.WriteByte(',')
	}
	l.buf.Write(rest)
	return nil
}
