package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/respawn-go/respawn/internal/reexec"
)

// floor is the bare engine: a work queue, a process that fetches, answers and acknowledges, and results as plain
// messages.
type floor struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	fetcher *exec.Cmd
	results chan struct{}
}

// The floor's sizes are a fleet's: as many tasks as a Map has outstanding over one node of two workers, and as many
// bytes as a small task takes.
const (
	floorFetched     = 256 // at a time
	floorOutstanding = 2048
	floorBytes       = 64
)

var _ = reexec.Fetcher.Serve(fetch)

func newFloor(ctx context.Context, servers string, replicas int) (*floor, error) {
	nc, err := nats.Connect(servers)
	if err != nil {
		return nil, err
	}
	f := &floor{nc: nc, results: make(chan struct{}, 1<<16)}
	if f.js, err = jetstream.New(nc); err != nil {
		return nil, errors.Join(err, f.close())
	}
	storage := jetstream.FileStorage
	if replicas == 1 {
		storage = jetstream.MemoryStorage
	}
	s, err := f.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "floor", Subjects: []string{"floor.t"}, Retention: jetstream.WorkQueuePolicy, Storage: storage,
		Replicas: replicas, MaxBytes: 64 << 20,
	})
	if err == nil {
		_, err = s.CreateOrUpdateConsumer(ctx,
			jetstream.ConsumerConfig{Durable: "floor", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 100_000})
	}
	if err == nil {
		_, err = nc.Subscribe("floor.r", func(*nats.Msg) { f.results <- struct{}{} })
	}
	marker, e := reexec.Fetcher.Marker(servers)
	if err = errors.Join(err, e); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.fetcher = exec.Command(reexec.Program)
	f.fetcher.Env = append(os.Environ(), marker)
	f.fetcher.Stderr = os.Stderr
	if err := f.fetcher.Start(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	_, err = f.run(ctx, 100, 10)
	return f, err
}

// fetch is the process that works: it ends when it is killed.
func fetch(servers string) {
	nc, err := nats.Connect(servers)
	if err == nil {
		var js jetstream.JetStream
		var c jetstream.Consumer
		if js, err = jetstream.New(nc); err == nil {
			c, err = js.Consumer(context.Background(), "floor", "floor")
		}
		if err == nil {
			_, err = c.Consume(func(m jetstream.Msg) {
				_ = nc.Publish("floor.r", m.Data())
				_ = m.Ack()
			}, jetstream.PullMaxMessages(floorFetched))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	select {}
}

// run sends n tasks with so many outstanding, and waits for all results.
func (f *floor) run(ctx context.Context, n, outstanding int) (time.Duration, error) {
	data := make([]byte, floorBytes)
	began := time.Now()
	sent := 0
	for done := 0; done < n; done++ {
		for sent < n && sent-done < outstanding {
			if _, err := f.js.PublishAsync("floor.t", data); err != nil {
				return 0, err
			}
			sent++
		}
		select {
		case <-f.results:
		case <-time.After(30 * time.Second):
			return 0, errors.New("the bare engine has stopped")
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return time.Since(began), nil
}

func (f *floor) close() error {
	f.nc.Close()
	if f.fetcher == nil || f.fetcher.Process == nil {
		return nil
	}
	err := f.fetcher.Process.Kill()
	_ = f.fetcher.Wait() // it was killed
	return err
}
