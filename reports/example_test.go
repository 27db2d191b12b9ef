package reports_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
)

// A report is made from a history alone, at any time after the run: the same history gives the same report. This one
// shows nothing.
func ExampleJudge() {
	dir, err := os.MkdirTemp("", "reports-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.jsonl")
	w, err := history.Create(path, history.Header{Scenario: "nothing", Target: history.Target{Kind: "pool", Size: 1}},
		history.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = w.Close(false)

	r, err := reports.Judge(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %s: %s\n", r.Verdict, r.Scenario, r.Cause)
	fmt.Println("exit code", r.Verdict.ExitCode())
	// Output:
	// INCONCLUSIVE nothing: exits.unexplained == 0 cannot be judged: there is no data for exits.unexplained
	// exit code 3
}

// What several runs come to is the worst of them.
func ExampleWorst() {
	fmt.Println(reports.Worst(reports.Pass, reports.Inconclusive, reports.Pass))
	// Output: INCONCLUSIVE
}
