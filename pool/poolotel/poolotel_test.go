package poolotel_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/poolotel"
)

// inWorker has what the worker recorded, and here what this process did.
var inWorker, here = tracetest.NewInMemoryExporter(), tracetest.NewInMemoryExporter()

var recordIn = pool.RegisterInit("record", func(context.Context, struct{}) error {
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(inWorker)))
	return nil
})

// recorded is a span as it travels from a worker.
type recorded struct {
	Name, Trace, Span, Parent, Status string
	Attempt, PID                      int64
	Start, End                        time.Time
}

func plain(spans tracetest.SpanStubs) (all []recorded) {
	for _, s := range spans {
		r := recorded{
			Name: s.Name, Trace: s.SpanContext.TraceID().String(), Span: s.SpanContext.SpanID().String(),
			Parent: s.Parent.SpanID().String(), Status: s.Status.Code.String(), Start: s.StartTime, End: s.EndTime,
		}
		for _, a := range s.Attributes {
			switch a.Key {
			case "respawn.attempt":
				r.Attempt = a.Value.AsInt64()
			case "process.pid":
				r.PID = a.Value.AsInt64()
			}
		}
		all = append(all, r)
	}
	return all
}

var (
	fetch = pool.Register("fetch",
		func(context.Context, struct{}) ([]recorded, error) { return plain(inWorker.GetSpans()), nil })

	// hang hangs until its worker is killed the first time, and works in a span of its own the second.
	hang = poolotel.Register("hang", func(ctx context.Context, begun string) (int, error) {
		if pool.Attempt(ctx) == 1 {
			if err := os.WriteFile(begun, nil, 0o600); err != nil {
				return 0, err
			}
			select {}
		}
		_, span := otel.Tracer("test").Start(ctx, "inner")
		span.End()
		return pool.Attempt(ctx), nil
	})

	misbehave = poolotel.Register("misbehave", func(_ context.Context, how string) (int, error) {
		if how == "panic" {
			panic("no")
		}
		return 0, errors.New("no")
	})
)

func TestMain(m *testing.M) {
	pool.Main()
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(here)))
	os.Exit(m.Run())
}

func start(t *testing.T, cfg pool.Config) *pool.Pool {
	cfg.Initializer = recordIn.With(struct{}{})
	p, err := pool.New(t.Context(), cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	here.Reset()
	return p
}

func spans(name string) (found tracetest.SpanStubs) {
	for _, s := range here.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// A task whose worker is killed is one trace: the submission, the attempt that ended by SIGKILL, and the one in the
// next worker.
func TestOneTraceHasTheAttemptsOnBothSides(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	begun := t.TempDir() + "/begun"
	ctx, root := otel.Tracer("test").Start(t.Context(), "request")
	var told pool.Outcome
	f := hang.Submit(ctx, p, begun, pool.WithOutcome(func(o pool.Outcome) { told = o }),
		pool.WithMeta(map[string]string{"mine": "too"}))
	g.Eventually(begun).WithTimeout(time.Minute).Should(BeAnExistingFile())
	first := p.Workers()[0].PID
	victim, err := os.FindProcess(first)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(victim.Kill()).To(Succeed())
	g.Expect(f.Result(t.Context())).To(Equal(2))
	g.Expect(told.Attempts).To(Equal(2), "the caller's own callback is called too")
	root.End()
	g.Eventually(func() int { return len(spans("hang")) }).WithTimeout(time.Minute).Should(Equal(2))

	of := map[trace.SpanKind]tracetest.SpanStub{}
	for _, s := range spans("hang") {
		of[s.SpanKind] = s
	}
	submission, died := of[trace.SpanKindClient], of[trace.SpanKindServer]
	g.Expect(submission.Parent.SpanID()).To(Equal(root.SpanContext().SpanID()))
	g.Expect(submission.Attributes).
		To(ContainElements(attribute.Int("respawn.attempts", 2), attribute.Int("respawn.tasks", 1)))
	g.Expect(submission.Status.Code).To(Equal(codes.Unset))
	g.Expect(submission.Events).To(HaveLen(1))
	g.Expect(submission.Events[0].Name).To(Equal("worker exited"))
	g.Expect(died.Parent.SpanID()).To(Equal(submission.SpanContext.SpanID()))
	g.Expect(died.Attributes).
		To(ContainElements(attribute.String("respawn.exit.signal", "SIGKILL"), attribute.Int("process.pid", first)))
	g.Expect(died.Status.Code).To(Equal(codes.Error))
	g.Expect(died.StartTime).To(BeTemporally(">=", submission.StartTime))
	g.Expect(died.EndTime).To(BeTemporally(">", died.StartTime))
	g.Expect(submission.EndTime).To(BeTemporally(">=", died.EndTime))

	answered, err := fetch.Call(t.Context(), p, struct{}{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answered).To(HaveLen(2))
	inner, second := answered[0], answered[1]
	g.Expect(second.Name).To(Equal("hang"))
	g.Expect(second.Attempt).To(BeEquivalentTo(2))
	g.Expect(second.PID).To(BeEquivalentTo(p.Workers()[0].PID))
	g.Expect(second.Parent).To(Equal(submission.SpanContext.SpanID().String()))
	g.Expect(second.Start).To(BeTemporally(">=", died.EndTime))
	g.Expect(inner.Parent).To(Equal(second.Span), "the handler's own spans are below its attempt")
	for _, id := range []string{
		submission.SpanContext.TraceID().String(), died.SpanContext.TraceID().String(), second.Trace, inner.Trace,
	} {
		g.Expect(id).To(Equal(root.SpanContext().TraceID().String()))
	}
}

// A span says that its handler failed, however it did, and Map's has all of its tasks.
func TestFailuresAreSeenOnBothSides(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	_, err := misbehave.Map(t.Context(), p, []string{"panic", "fail"})
	var panicked *pool.PanicError
	g.Expect(errors.As(err, &panicked)).To(BeTrue())
	g.Expect(panicked.At).To(ContainSubstring("poolotel_test.go"), "where it panicked, whatever is around the handler")
	g.Expect(spans("misbehave")).To(HaveLen(1))
	whole := spans("misbehave")[0]
	g.Expect(whole.Status.Code).To(Equal(codes.Error))
	g.Expect(whole.Attributes).To(ContainElement(attribute.Int("respawn.tasks", 2)))
	attempts, err := fetch.Call(t.Context(), p, struct{}{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(attempts).To(HaveLen(2))
	for _, a := range attempts {
		g.Expect(a.Parent).To(Equal(whole.SpanContext.SpanID().String()))
		g.Expect(a.Status).To(Equal("Error"))
	}
	for _, err := range misbehave.Stream(t.Context(), p, pool.Slice([]string{"fail"})) {
		g.Expect(err).To(HaveOccurred())
	}
	g.Expect(spans("misbehave")).To(HaveLen(2))
}

// What a collection reads is what Stats tells, by the pool's own attribute.
func TestAPoolIsObserved(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1, Measure: true})
	reader := metric.NewManualReader()
	meter := metric.NewMeterProvider(metric.WithReader(reader)).Meter(poolotel.Scope)
	registration, err := poolotel.Observe(p, meter, attribute.String("pool", "images"))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = fetch.Call(t.Context(), p, struct{}{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = misbehave.Call(t.Context(), p, "fail")
	g.Expect(err).To(HaveOccurred())
	victim, err := os.FindProcess(p.Workers()[0].PID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(victim.Kill()).To(Succeed())
	g.Eventually(func() uint64 { return p.Stats().Killed }).WithTimeout(time.Minute).Should(BeEquivalentTo(1))

	values := map[string]float64{}
	for key, v := range collect(t, reader) {
		values[key] = v
	}
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.submitted pool=images", 2.0))
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.settled outcome=ok,pool=images", 1.0))
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.settled outcome=failed,pool=images", 1.0))
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.worker.exits pool=images,reason=killed", 1.0))
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.worker.exits pool=images,reason=oom", 0.0))
	g.Expect(values).To(HaveKeyWithValue("respawn.pool.task.settled outcome=failed,pool=images,task=misbehave", 1.0))
	g.Expect(values["respawn.pool.task.total_time pool=images,task=misbehave"]).To(BeNumerically(">", 0))
	g.Expect(registration.Unregister()).To(Succeed())
	g.Expect(collect(t, reader)).To(BeEmpty())
}

func collect(t *testing.T, reader metric.Reader) map[string]float64 {
	var all metricdata.ResourceMetrics
	NewWithT(t).Expect(reader.Collect(t.Context(), &all)).To(Succeed())
	values := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch sum := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, d := range sum.DataPoints {
					values[m.Name+" "+d.Attributes.Encoded(attribute.DefaultEncoder())] = float64(d.Value)
				}
			case metricdata.Sum[float64]:
				for _, d := range sum.DataPoints {
					values[m.Name+" "+d.Attributes.Encoded(attribute.DefaultEncoder())] = d.Value
				}
			}
		}
	}
	return values
}
