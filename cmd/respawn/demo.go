package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
)

func newDemo() *cobra.Command {
	var size int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "List workers, kill one, list again, and probe every slot",
		Long: `The tutorial on process pools, with the check that it lacks: after the kill there must be as
many workers as before, one of them new, and every one of them must answer a task.

Exits with 0 only if all of that is so.`,
		Example: "  respawn demo\n  respawn demo --size 16 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if size < 1 || size > 1000 {
				return usage("--size is %d: want 1 to 1000", size)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			d, err := demonstrate(ctx, size)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), d)
			} else {
				d.print(cmd.OutOrStdout())
			}
			if err == nil && !d.Recovered {
				return fail("the pool did not recover: %s", d.Why)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&size, "size", 4, "number of workers")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// demo is what the demonstration saw.
type demo struct {
	Before     []listed    `json:"before"`
	Killed     listed      `json:"killed"`
	After      []listed    `json:"after"`
	Probes     []slotProbe `json:"probes"`
	RecoveryMS float64     `json:"recovery_ms"` // from the kill until the slot had answered
	Recovered  bool        `json:"recovered"`
	Why        string      `json:"why,omitempty"` // it has not
}

// listed is one worker as the tutorial prints it.
type listed struct {
	Name    string `json:"name"`
	Slot    int    `json:"slot"`
	PID     int    `json:"pid"`
	State   string `json:"state"`
	Listing string `json:"listing"`
}

// slotProbe is one slot's answer.
type slotProbe struct {
	Slot   int `json:"slot"`
	Arg    int `json:"arg"`
	Square int `json:"square"`
	PID    int `json:"pid"`
}

func list(workers ...pool.WorkerInfo) (l []listed) {
	for _, w := range workers {
		l = append(l, listed{w.Name, w.Slot, w.PID, w.State.String(), w.String()})
	}
	return l
}

// demonstrate makes a pool, kills the worker of its second slot (the first, if it is the only one), and looks at what
// comes of it.
func demonstrate(ctx context.Context, size int) (*demo, error) {
	p, err := pool.New(ctx, pool.Config{Size: size})
	if err != nil {
		return nil, err
	}
	defer p.Terminate()
	life := p.Subscribe(64 + 8*size)
	d := &demo{Before: list(p.Workers()...)}
	victim := p.Workers()[min(1, size-1)]
	process, err := os.FindProcess(victim.PID) // it is idle and ours: nobody else has its number
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := process.Kill(); err != nil {
		return nil, fmt.Errorf("kill %s: %w", victim, err)
	}
	if err := d.await(ctx, life, victim); err != nil {
		return nil, err
	}
	for _, slot := range append([]int{victim.Slot}, others(size, victim.Slot)...) {
		arg := slot + 7
		a, err := work.Probe.Call(ctx, p, arg, pool.OnSlot(slot))
		if err != nil {
			return nil, fmt.Errorf("probe slot %d: %w", slot, err)
		}
		if slot == victim.Slot {
			d.RecoveryMS = float64(time.Since(began).Microseconds()) / 1000
		}
		d.Probes = append(d.Probes, slotProbe{slot, arg, a.Square, a.PID})
	}
	slices.SortFunc(d.Probes, func(a, b slotProbe) int { return cmp.Compare(a.Slot, b.Slot) })
	d.After = list(p.Workers()...)
	d.judge()
	return d, nil
}

// others are the slots but for one.
func others(size, but int) (slots []int) {
	for s := range size {
		if s != but {
			slots = append(slots, s)
		}
	}
	return slots
}

// await waits until the victim is reaped and its slot is filled again.
func (d *demo) await(ctx context.Context, life *pool.Subscription, victim pool.WorkerInfo) error {
	for {
		select {
		case e := <-life.C:
			switch {
			case e.Kind == pool.WorkerExited && e.Worker.PID == victim.PID:
				d.Killed = list(e.Worker)[0]
			case e.Kind == pool.WorkerReady && e.Worker.Slot == victim.Slot && e.Worker.PID != victim.PID:
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("slot %d has no new worker: %w", victim.Slot, ctx.Err())
		}
	}
}

// judge compares the listings and the answers.
func (d *demo) judge() {
	wrong := func(format string, args ...any) {
		if d.Why == "" {
			d.Why = fmt.Sprintf(format, args...)
		}
	}
	if len(d.After) != len(d.Before) {
		wrong("%d workers before, %d after", len(d.Before), len(d.After))
		return
	}
	if d.Killed.State != pool.Stopped.String() {
		wrong("the killed worker was not seen to stop")
	}
	for i, now := range d.After {
		switch before := d.Before[i]; {
		case now.State != pool.Ready.String():
			wrong("%s is not ready", now.Name)
		case now.Slot == d.Killed.Slot && now.PID == d.Killed.PID:
			wrong("slot %d has the killed worker's pid", now.Slot)
		case now.Slot != d.Killed.Slot && now.PID != before.PID:
			wrong("slot %d has another pid, though its worker was not killed", now.Slot)
		}
	}
	for _, a := range d.Probes {
		if a.Square != a.Arg*a.Arg || a.PID != d.After[a.Slot].PID {
			wrong("slot %d answered %d² = %d from pid %d", a.Slot, a.Arg, a.Square, a.PID)
		}
	}
	d.Recovered = d.Why == ""
}

func (d *demo) print(w io.Writer) {
	fmt.Fprintf(w, "%d workers:\n", len(d.Before))
	for _, l := range d.Before {
		fmt.Fprintln(w, " ", l.Listing)
	}
	fmt.Fprintf(w, "\nSIGKILL to pid %d. %d workers again, one of them new:\n  %s\n",
		d.Killed.PID, len(d.After), d.Killed.Listing)
	for _, l := range d.After {
		mark := ""
		if l.PID != d.Before[l.Slot].PID {
			mark = "  new"
		}
		fmt.Fprintf(w, "  %s%s\n", l.Listing, mark)
	}
	fmt.Fprintln(w, "\nEvery slot answers a task:")
	for _, a := range d.Probes {
		fmt.Fprintf(w, "  slot %d: %d² = %d from pid %d\n", a.Slot, a.Arg, a.Square, a.PID)
	}
	if d.Recovered {
		fmt.Fprintf(w, "\nRecovered: the killed slot answered %s after the kill.\n",
			reports.Value("slot.recovery.max", d.RecoveryMS/1000))
	}
}
