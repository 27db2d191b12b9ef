// Package poolotel shows a pool to OpenTelemetry: a trace for each task with its attempts on both sides of the process
// border, and the pool's figures as instruments. The package pool knows nothing of it.
package poolotel

import (
	"context"
	"errors"
	"iter"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/respawn-go/respawn/pool"
)

// Scope is the name of the instrumentation, by which exporters and views tell its spans from others.
const Scope = "github.com/respawn-go/respawn/pool/poolotel"

// w3c carries a trace across the process border, as traceparent and tracestate (https://www.w3.org/TR/trace-context/).
var w3c propagation.TraceContext

// maxState bounds the tracestate that travels, in bytes; a longer one stays here, as the standard allows.
const maxState = 256

// Task is a task whose submissions are traced: Call, Submit, Map, Stream and StreamUnordered have a span each, and what
// is sent carries it along, in at most 336 bytes of [pool.WithMeta]'s 1 KiB. Make it with [Register], or around any
// other task whose handler went through [Handler]. A span of several tasks, as Map's is, has the attempts of all of
// them below it. Spans go to the provider that otel.SetTracerProvider was given, in this process and in the workers:
// see [Handler].
type Task[In, Out any] struct{ pool.Task[In, Out] }

// Register is [pool.Register] with the handler's attempts and the task's submissions traced.
func Register[In, Out any](name string, handler func(ctx context.Context, in In) (Out, error)) Task[In, Out] {
	return Task[In, Out]{pool.Register(name, Handler(name, handler))}
}

// Handler has each attempt make a span in its worker, below the submission's, which handlers find in their ctx. It is
// recorded if the worker has a provider of its own: set one in [pool.Config.Initializer], with an exporter that waits
// for nothing or not for long, since a worker that ends sends nothing more. An attempt that its worker did not survive
// is recorded by the submitter.
func Handler[In, Out any](
	name string, handler func(ctx context.Context, in In) (Out, error),
) func(ctx context.Context, in In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		ctx, span := tracer().Start(w3c.Extract(ctx, propagation.MapCarrier(pool.Meta(ctx))), name,
			trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.Int("respawn.attempt", pool.Attempt(ctx)),
				attribute.Int("process.pid", os.Getpid())))
		err = errNoReturn
		defer func() { // not the span's own End, which would recover from a panic and change where the pool sees it
			failed(span, err)
			span.End()
		}()
		return handler(ctx, in)
	}
}

var errNoReturn = errors.New("the handler panicked, or ended its goroutine")

func tracer() trace.Tracer { return otel.Tracer(Scope) }

func failed(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
}

// Call is [pool.Task.Call] in a span.
func (t Task[In, Out]) Call(ctx context.Context, r pool.Runner, in In, opts ...pool.Option) (Out, error) {
	ctx, s := begin(ctx, t.Name())
	out, err := t.Task.Call(ctx, r, in, s.options(opts)...)
	s.end(err)
	return out, err
}

// Submit is [pool.Task.Submit] in a span that ends when the task has settled.
func (t Task[In, Out]) Submit(ctx context.Context, r pool.Runner, in In, opts ...pool.Option) *pool.Future[Out] {
	ctx, s := begin(ctx, t.Name())
	f := t.Task.Submit(ctx, r, in, s.options(opts)...)
	go func() {
		_, err := f.Result(context.Background())
		s.end(err)
	}()
	return f
}

// Map is [pool.Task.Map] in a span.
func (t Task[In, Out]) Map(ctx context.Context, r pool.Runner, in []In, opts ...pool.Option) ([]Out, error) {
	ctx, s := begin(ctx, t.Name())
	out, err := t.Task.Map(ctx, r, in, s.options(opts)...)
	s.end(err)
	return out, err
}

// Stream is [pool.Task.Stream] in a span from the first value that is asked for to the last.
func (t Task[In, Out]) Stream(ctx context.Context, r pool.Runner, in iter.Seq2[In, error],
	opts ...pool.Option,
) iter.Seq2[Out, error] {
	return t.stream(ctx, func(ctx context.Context, s *submission) iter.Seq2[Out, error] {
		return t.Task.Stream(ctx, r, in, s.options(opts)...)
	})
}

// StreamUnordered is [pool.Task.StreamUnordered] in a span likewise.
func (t Task[In, Out]) StreamUnordered(
	ctx context.Context, r pool.Runner, in iter.Seq2[In, error], opts ...pool.Option,
) iter.Seq2[Out, error] {
	return t.stream(ctx, func(ctx context.Context, s *submission) iter.Seq2[Out, error] {
		return t.Task.StreamUnordered(ctx, r, in, s.options(opts)...)
	})
}

func (t Task[In, Out]) stream(ctx context.Context,
	run func(context.Context, *submission) iter.Seq2[Out, error],
) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		ctx, s := begin(ctx, t.Name())
		var last error
		defer func() { s.end(last) }()
		for v, err := range run(ctx, s) {
			if err != nil {
				last = err
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
