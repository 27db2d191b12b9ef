package fleet_test

import (
	"testing"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/pool"
)

// fleetOf is a fleet in this process, over the loopback.
func fleetOf(b *testing.B, size int) *fleet.Fleet {
	b.Helper()
	br, err := broker.Start(broker.Config{Port: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = br.Close() })
	ctx := b.Context()
	go func() {
		_ = fleet.Serve(ctx, fleet.Node{Fleet: "test", Servers: br.URL(), Name: "here", Pool: pool.Config{Size: size}})
	}()
	f, err := fleet.Dial(ctx, fleet.Config{Fleet: "test", Servers: br.URL(), InMemory: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	if _, err := square.Call(ctx, f, 1); err != nil {
		b.Fatal(err)
	}
	return f
}

func BenchmarkCall(b *testing.B) {
	f := fleetOf(b, 2)
	for b.Loop() {
		if _, err := square.Call(b.Context(), f, 7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubmit(b *testing.B) {
	f := fleetOf(b, 2)
	futures := make(chan *pool.Future[int], 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for fut := range futures {
			if _, err := fut.Result(b.Context()); err != nil {
				b.Error(err)
			}
		}
	}()
	for b.Loop() {
		futures <- square.Submit(b.Context(), f, 7)
	}
	close(futures)
	<-done
}
