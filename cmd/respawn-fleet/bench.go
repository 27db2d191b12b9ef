package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/units"
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

type measures struct{ runs, tasks, kills int }

func benchCommand() *cobra.Command {
	var asJSON bool
	var m measures
	brokers := []int{1, 3}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "A fleet against the bare engine, on one broker and on three",
		Long: `bench compares a fleet with the bare engine's pipeline (publish, fetch, result, acknowledge), each with its submitter here, its
worker in another process, and brokers in processes of their own, in turns, and prints medians. Then it kills a node again and again
and measures how long its tasks take to run elsewhere. One broker keeps the queue in memory, three keep it in files, synced.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m.runs < 1 || m.tasks < 100 || m.kills < 1 {
				return &usageError{fmt.Errorf("--runs %d --tasks %d --kills %d: want at least 1, 100 and 1",
					m.runs, m.tasks, m.kills)}
			}
			names := map[int]string{1: "fleet", 3: "r3"}
			all := make(map[string]figures)
			for _, n := range brokers {
				if names[n] == "" {
					return &usageError{fmt.Errorf("--brokers %d: want 1, 3, or 1,3", n)}
				}
				f, err := m.measure(cmd.Context(), n)
				if err != nil {
					return fmt.Errorf("with %d brokers: %w", n, err)
				}
				if all[names[n]] = f; !asJSON {
					f.print(cmd.OutOrStdout(), m, n)
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), all)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().IntVar(&m.runs, "runs", 5, "measurements of each figure")
	cmd.Flags().IntVar(&m.tasks, "tasks", 20_000, "tasks of one measurement")
	cmd.Flags().IntVar(&m.kills, "kills", 9, "nodes to kill")
	cmd.Flags().IntSliceVar(&brokers, "brokers", brokers, "how many brokers: 1, 3, or one after the other")
	return cmd
}

func (f figures) print(w io.Writer, m measures, brokers int) {
	fmt.Fprintf(w, `brokers: %d; medians of %d runs
  tasks               %10s   the bare engine %10s   %.2fx
  round trip, alone   %10s   the bare engine %10s   %.2fx
  a node's end → its tasks run elsewhere: %s (p50), %s (p95) of %d
`, brokers, m.runs, perSecond(f.TasksPerSecond), perSecond(f.FloorTasksPerSecond),
		f.TasksPerSecond/f.FloorTasksPerSecond,
		units.Time(f.RoundTrip/1e6), units.Time(f.FloorRoundTrip/1e6), f.RoundTrip/f.FloorRoundTrip,
		units.Time(f.RescueP50/1e3), units.Time(f.RescueP95/1e3), m.kills)
}

func perSecond(v float64) string { return units.Number(math.Round(v)) + "/s" }

// measure measures a fleet with that many brokers.
func (m measures) measure(ctx context.Context, brokers int) (f figures, err error) {
	local, err := localfleet.Start(
		localfleet.Config{Fleet: "bench", Nodes: 2, Workers: 2, Brokers: brokers, InMemory: brokers == 1})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	fl, err := fleet.Dial(ctx, local.Config())
	if err != nil {
		return f, err
	}
	defer func() { _ = fl.Close() }()
	if f.RescueP50, f.RescueP95, err = rescues(ctx, local, fl, m.kills); err != nil {
		return f, err
	}
	if _, err := local.Kill("node-2"); err != nil { // what is left compares one worker's process with one node
		return f, err
	}
	floor, err := newFloor(ctx, local.Servers(), brokers)
	if err != nil {
		return f, err
	}
	defer floor.close()
	var rate, floorRate, trip, floorTrip []float64
	for range m.runs {
		began := time.Now()
		if _, err := square.Map(ctx, fl, make([]int, m.tasks)); err != nil {
			return f, err
		}
		rate = append(rate, float64(m.tasks)/time.Since(began).Seconds())
		took, err := floor.run(ctx, m.tasks, floorOutstanding)
		if err != nil {
			return f, err
		}
		floorRate = append(floorRate, float64(m.tasks)/took.Seconds())
		const alone = 300
		began = time.Now()
		for range alone {
			if _, err := square.Call(ctx, fl, 7); err != nil {
				return f, err
			}
		}
		trip = append(trip, time.Since(began).Seconds()*1e6/alone)
		if took, err = floor.run(ctx, alone, 1); err != nil {
			return f, err
		}
		floorTrip = append(floorTrip, took.Seconds()*1e6/alone)
	}
	f.TasksPerSecond, f.FloorTasksPerSecond = median(rate), median(floorRate)
	f.RoundTrip, f.FloorRoundTrip = median(trip), median(floorTrip)
	return f, nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// rescues kills the node that has a task, again and again, and takes the time until the other has it, in milliseconds.
func rescues(ctx context.Context, local *localfleet.Fleet, f *fleet.Fleet, kills int) (p50, p95 float64, err error) {
	var took []float64
	for range kills {
		if err := until(ctx, func() bool { return len(living(f)) == 2 }); err != nil {
			return 0, 0, err
		}
		task, over := context.WithCancel(ctx)
		sleep.Submit(task, f, time.Hour)
		var victim string
		held := func() (name string) {
			for _, n := range f.Nodes() {
				if n.Held == 1 && n.State == "alive" {
					name = n.Name
				}
			}
			return name
		}
		err := until(ctx, func() bool { victim = held(); return victim != "" })
		began := time.Now()
		if err == nil {
			_, err = local.Kill(victim)
		}
		if err == nil {
			err = until(ctx, func() bool { now := held(); return now != "" && now != victim })
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		over()
		if err == nil {
			err = local.Start(victim)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(took)
	return median(took), took[(len(took)*95+99)/100-1], nil
}

func living(f *fleet.Fleet) (names []string) {
	for _, n := range f.Nodes() {
		if n.State == "alive" {
			names = append(names, n.Name)
		}
	}
	return names
}

func until(ctx context.Context, there func() bool) error {
	for !there() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
