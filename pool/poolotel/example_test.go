package poolotel_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/poolotel"
)

var shout = poolotel.Register("example-shout",
	func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })

// sendSpans has a process send its spans; the exporter here keeps them, where a program has otlptracegrpc's.
func sendSpans() {
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithBatcher(tracetest.NewInMemoryExporter(),
		sdk.WithBatchTimeout(100*time.Millisecond))))
}

var traceIn = pool.RegisterInit("example-trace", func(context.Context, struct{}) error { sendSpans(); return nil })

// A program and each of its workers set a provider; tasks that are registered here are traced on both sides, and the
// meter reads the pool's figures.
func Example() {
	sendSpans()
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1, Measure: true, Initializer: traceIn.With(struct{}{})})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	if _, err := poolotel.Observe(p, otel.Meter("example"), attribute.String("pool", "words")); err != nil {
		log.Fatal(err)
	}
	v, err := shout.Call(ctx, p, "seen")
	fmt.Println(v, err)
	// Output: SEEN <nil>
}
