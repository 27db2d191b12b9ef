package check_test

import (
	"fmt"
	"os"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Judge a history that a run left, and find what is wrong by its code rather than by its words.
func ExampleJudge() {
	record, err := history.Open("history.jsonl")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer record.Close()
	result := check.Judge(record.Header, record.Events())
	fmt.Println(result.Verdict, result.Cause)
	for _, f := range result.Findings {
		if f.Code == check.Broken {
			fmt.Println(f.Metric, "is", result.Metrics[f.Metric], "- see line", f.Event)
		}
	}
	for _, d := range result.Ledger.Slots.Deaths {
		fmt.Printf("slot %d was back after %v\n", d.Slot, d.Took())
	}
}
