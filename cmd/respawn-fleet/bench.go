package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/pool"
)

// figures are what bench prints: medians, the floor taken in turns with what it is the floor of.
type figures struct {
	TasksPerSecond      float64 `json:"tasks_s"`
	FloorTasksPerSecond float64 `json:"floor_tasks_s"`
	RoundTrip           float64 `json:"roundtrip_us"`
	FloorRoundTrip      float64 `json:"floor_roundtrip_us"`
	RescueP50           float64 `json:"rescue_p50_ms"`
	RescueP95           float64 `json:"rescue_p95_ms"`
}

func benchCommand() *cobra.Command {
	var asJSON bool
	var runs, tasks, kills int
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "The fleet against the bare engine, on one broker in this process",
		Long: `bench compares a fleet with the bare engine's pipeline (publish, fetch, result, acknowledge) over the same kind of broker, in turns,
and prints medians. Then it kills a node again and again and measures how long its tasks take to run elsewhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runs < 1 || tasks < 100 || kills < 1 {
				return &usageError{fmt.Errorf("--runs %d --tasks %d --kills %d: want at least 1, 100 and 1", runs, tasks, kills)}
			}
			f, err := bench(cmd.Context(), runs, tasks, kills)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]figures{"fleet": f})
			}
			fmt.Fprintf(cmd.OutOrStdout(), `medians of %d runs
  tasks a second      %8.0f   the bare engine %8.0f   %.2fx
  round trip, alone   %6.0fµs   the bare engine %6.0fµs   %.2fx
  a node's end → its tasks run elsewhere: %.0fms (p50), %.0fms (p95) of %d
`, runs, f.TasksPerSecond, f.FloorTasksPerSecond, f.TasksPerSecond/f.FloorTasksPerSecond, f.RoundTrip, f.FloorRoundTrip, f.RoundTrip/f.FloorRoundTrip, f.RescueP50, f.RescueP95, kills)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().IntVar(&runs, "runs", 5, "measurements of each figure")
	cmd.Flags().IntVar(&tasks, "tasks", 20_000, "tasks of one measurement")
	cmd.Flags().IntVar(&kills, "kills", 9, "nodes to kill")
	return cmd
}

func bench(ctx context.Context, runs, tasks, kills int) (f figures, err error) {
	b, err := broker.Start(broker.Config{Port: -1})
	if err != nil {
		return f, err
	}
	defer func() { _ = b.Close() }()
	fl, err := fleet.Dial(ctx, fleet.Config{Fleet: "bench", Servers: b.URL(), InMemory: true})
	if err != nil {
		return f, err
	}
	defer func() { _ = fl.Close() }()
	var rate, floorRate, trip, floorTrip []float64
	floor, err := newFloor(ctx, b.URL())
	if err != nil {
		return f, err
	}
	defer floor.nc.Close()
	serveCtx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		_ = fleet.Serve(serveCtx, fleet.Node{Fleet: "bench", Servers: b.URL(), Name: "here", Pool: pool.Config{Size: 2}})
	}()
	if _, err := square.Call(ctx, fl, 1); err != nil {
		return f, err
	}
	for range runs {
		began := time.Now()
		in := make([]int, tasks)
		if _, err := square.Map(ctx, fl, in); err != nil {
			return f, err
		}
		rate = append(rate, float64(tasks)/time.Since(began).Seconds())
		floorRate = append(floorRate, float64(tasks)/floor.run(tasks, 256).Seconds())
		began = time.Now()
		for range 500 {
			if _, err := square.Call(ctx, fl, 7); err != nil {
				return f, err
			}
		}
		trip = append(trip, time.Since(began).Seconds()*1e6/500)
		floorTrip = append(floorTrip, floor.run(500, 1).Seconds()*1e6/500)
	}
	f.TasksPerSecond, f.FloorTasksPerSecond = median(rate), median(floorRate)
	f.RoundTrip, f.FloorRoundTrip = median(trip), median(floorTrip)
	rescues, err := rescue(ctx, kills)
	if err != nil {
		return f, err
	}
	slices.Sort(rescues)
	f.RescueP50, f.RescueP95 = median(rescues), rescues[(len(rescues)*95+99)/100-1]
	return f, nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// floor is the bare engine: a work queue, a fetcher that acknowledges, and results as plain messages.
type floor struct {
	nc      *nats.Conn
	results chan struct{}
}

func newFloor(ctx context.Context, url string) (*floor, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "floor", Subjects: []string{"floor.t"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.MemoryStorage})
	if err != nil {
		return nil, err
	}
	c, err := s.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "floor", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 100_000})
	if err != nil {
		return nil, err
	}
	f := &floor{nc: nc, results: make(chan struct{}, 1<<16)}
	if _, err := nc.Subscribe("floor.r", func(*nats.Msg) { f.results <- struct{}{} }); err != nil {
		return nil, err
	}
	_, err = c.Consume(func(m jetstream.Msg) {
		_ = nc.Publish("floor.r", m.Data())
		_ = m.Ack()
	}, jetstream.PullMaxMessages(256))
	return f, err
}

// run sends n tasks with so many outstanding, and waits for all results.
func (f *floor) run(n, outstanding int) time.Duration {
	data := make([]byte, 128)
	began := time.Now()
	sent := 0
	for done := 0; done < n; {
		for sent < n && sent-done < outstanding {
			_ = f.nc.PublishRequest("floor.t", "floor.a", data)
			sent++
		}
		<-f.results
		done++
	}
	return time.Since(began)
}

// rescue kills a node with tasks in hand, again and again, and takes the time until the last of them runs elsewhere.
func rescue(ctx context.Context, kills int) (took []float64, err error) {
	b, err := broker.Start(broker.Config{Port: -1})
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	f, err := fleet.Dial(ctx, fleet.Config{Fleet: "respawn", Servers: b.URL(), InMemory: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	start := func(name string) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, self, "node", "--servers", b.URL(), "--name", name, "--workers", "4")
		return cmd, cmd.Start()
	}
	there := func(name string) error {
		for ctx.Err() == nil {
			for _, n := range f.Nodes() {
				if n.Name == name && n.State == "alive" {
					return nil
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
		return ctx.Err()
	}
	for i := range kills {
		victim, other := fmt.Sprintf("victim-%d", i), fmt.Sprintf("other-%d", i)
		v, err := start(victim)
		if err != nil {
			return nil, err
		}
		if err := there(victim); err != nil {
			return nil, err
		}
		task, over := context.WithCancel(ctx)
		defer over()
		sleep.Submit(task, f, time.Hour)
		for held := false; !held && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) { // until it has begun where it will be killed
			for _, n := range f.Nodes() {
				held = held || n.Name == victim && n.Held == 1
			}
		}
		o, err := start(other)
		if err != nil {
			return nil, err
		}
		if err := there(other); err != nil {
			return nil, err
		}
		began := time.Now()
		_ = v.Process.Kill()
		_ = v.Wait()
		for held := false; !held && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			for _, n := range f.Nodes() {
				held = held || n.Name == other && n.Held == 1
			}
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		over()
		_ = o.Process.Kill()
		_ = o.Wait()
	}
	return took, ctx.Err()
}
