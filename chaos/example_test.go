package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// SIGKILL a random busy worker every 200 ms for two seconds, under load, and judge what happened. A program does it in
// func main, after pool.Main.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "chaos-")
	must(err)
	defer os.RemoveAll(dir)
	target, err := own.Start(ctx, pool.Config{Size: 4}, dir)
	must(err)
	path := filepath.Join(dir, "history.jsonl")
	run := chaos.Run{
		Target: target, Close: target.Close, Witness: target.Witness(), Open: chaos.Create(path), Seed: 42,
		Load: &chaos.Load{Task: "sleep", Args: map[string]any{"duration": 5 * time.Millisecond}, Concurrency: 16},
		Chaos: []chaos.Nemesis{{
			Fault: faults.Signal{Name: "KILL"}, Pick: chaos.Pick{State: "busy"},
			When: chaos.When{Every: 200 * time.Millisecond, For: 2 * time.Second}, Require: 5,
		}},
		Progress: func(e history.Event) { // the receipts, as they come
			if e.Fault != nil && e.Fault.Receipt != nil {
				fmt.Fprintln(os.Stderr, e.T, e.Fault.Victim.Name, e.Fault.Outcome, e.Fault.Receipt.Tier,
					e.Fault.Receipt.Evidence)
			}
		},
	}
	must(run.Do(ctx))
	record, err := history.Open(path)
	must(err)
	defer record.Close()
	result := check.Judge(record.Header, record.Events())
	fmt.Println(result.Verdict)
	fmt.Fprintln(os.Stderr, result.Cause)
	// Output: PASS
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
