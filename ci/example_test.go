package ci_test

import (
	"fmt"
	"os"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

// A release wants two scenarios: one passed, and nobody ran the other. Reports come from files otherwise: see package
// reports.
func Example() {
	today := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	passed := &reports.Report{
		Facts:  reports.Facts{Run: "a", Scenario: "kill-storm", Started: today.Add(-time.Hour)},
		Result: check.Result{Verdict: check.Pass, Cause: "every slot came back"},
	}
	decision := ci.Decide(today, []*reports.Report{passed}, nil, ci.Policy{Scenarios: []string{"kill-storm", "freeze"}})
	decision.Print(os.Stdout, 80)
	fmt.Println("exit code", decision.Exit())
	// Output:
	// red    freeze      0 runs  the policy asks for it and there is no run
	// green  kill-storm  1 run   passed
	// gate: red
	// exit code 1
}
