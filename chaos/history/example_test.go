package history_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// A record is lines of JSON: a header, events as they happen, and an end by which accidents are found.
func Example() {
	var file bytes.Buffer
	clock := time.Duration(0)
	w, err := history.NewWriter(&file,
		history.Header{Scenario: "example", Target: history.Target{Kind: "pool", Size: 1}}, history.Options{
			Now: func() time.Duration { clock += time.Millisecond; return clock },
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = w.Append(history.Event{Member: &history.MemberEvent{Op: history.Started, Slot: 0, PID: 4711}})
	_ = w.Append(history.Event{Member: &history.MemberEvent{Op: history.Ready, Slot: 0, PID: 4711}})
	_ = w.Close(false)

	r, err := history.NewReader(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range r.Events() {
		if err != nil {
			fmt.Println(err)
			return
		}
		if m := e.Member; m != nil {
			fmt.Printf("line %d, %v: pid %d %s in slot %d\n", r.Line(), e.T, m.PID, m.Op, m.Slot)
		}
	}
	fmt.Println("cut short:", r.Truncated())
	// Output:
	// line 2, 1ms: pid 4711 started in slot 0
	// line 3, 2ms: pid 4711 ready in slot 0
	// cut short: false
}
