package poolotel

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/pool"
)

// submission is the span of one call of a Task's method, and how its tasks came to their ends.
type submission struct {
	name string
	ctx  context.Context
	span trace.Span

	mu       sync.Mutex
	tasks    int
	attempts int
	last     pool.Outcome
	exits    []pool.Exit
}

func begin(ctx context.Context, name string) (context.Context, *submission) {
	ctx, span := tracer().Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, &submission{name: name, ctx: ctx, span: span}
}

// options are the caller's with what the trace adds.
func (s *submission) options(own []pool.Option) []pool.Option {
	meta := propagation.MapCarrier{}
	w3c.Inject(s.ctx, meta)
	if len(meta["tracestate"]) > maxState {
		delete(meta, "tracestate")
	}
	all := append([]pool.Option(nil), own...)
	if len(meta) > 0 {
		all = append(all, pool.WithMeta(meta))
	}
	if s.span.IsRecording() {
		all = append(all, pool.WithOutcome(s.told))
	}
	return all
}

func (s *submission) told(o pool.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks++
	s.attempts += o.Attempts
	s.last = o
	s.exits = append(s.exits, o.Exits...)
}

// end records what the tasks came to, the attempts that no worker can tell of among it.
func (s *submission) end(err error) {
	if !s.span.IsRecording() {
		s.span.End()
		return
	}
	s.mu.Lock()
	tasks, attempts, last, exits := s.tasks, s.attempts, s.last, s.exits
	s.mu.Unlock()
	for _, x := range exits {
		s.died(x)
	}
	s.span.SetAttributes(attribute.Int("respawn.attempts", attempts), attribute.Int("respawn.tasks", tasks))
	if tasks == 1 {
		s.span.SetAttributes(attribute.Int64("respawn.task.id", int64(last.TaskID)),
			attribute.Float64("respawn.queue_seconds", last.Queue.Seconds()))
	}
	failed(s.span, err)
	s.span.End()
}

// died records an attempt that its worker did not survive, with the event of the worker's exit in it and in the
// submission.
func (s *submission) died(x pool.Exit) {
	about := []attribute.KeyValue{
		attribute.Int64("respawn.task.id", int64(x.TaskID)),
		attribute.String("respawn.worker", x.Worker),
		attribute.String("respawn.exit.kind", x.Kind.String()),
		attribute.Int("process.pid", x.PID),
		attribute.Int("process.exit.code", x.Code),
	}
	if x.Signal != 0 {
		about = append(about, attribute.String("respawn.exit.signal", unix.SignalName(x.Signal)))
	}
	if x.Reason != pool.ReasonNone {
		about = append(about, attribute.String("respawn.exit.reason", x.Reason.String()))
	}
	exited := []trace.EventOption{trace.WithTimestamp(x.At), trace.WithAttributes(about...)}
	s.span.AddEvent("worker exited", exited...)
	since := x.Since
	if since.IsZero() { // of a task that went elsewhere, whose death was told by nobody who saw it run
		since = x.At
	}
	_, attempt := tracer().Start(s.ctx, s.name, trace.WithTimestamp(since), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(about...))
	attempt.AddEvent("worker exited", exited...)
	attempt.SetStatus(codes.Error, x.String())
	attempt.End(trace.WithTimestamp(x.At))
}
