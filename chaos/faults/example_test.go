package faults_test

import (
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/faults"
)

// A fault is a value. What is wrong with its parameters is told before anything is struck.
func Example() {
	for _, f := range []faults.Signal{{Name: "KILL"}, {Name: "STOP"}} {
		fmt.Println(f, "-", f.Validate())
	}
	slow := faults.Spawn{Delay: time.Second}
	fmt.Println(slow, "befalls the whole target:", slow.Traits().Whole)
	// Output:
	// signal KILL - <nil>
	// signal STOP - signal STOP would stop the victim for good: use the fault pause
	// spawn delay 1s befalls the whole target: true
}

// Every fault has a row, which says what counts as evidence that it happened.
func ExampleKinds() {
	for _, k := range faults.Kinds()[:3] {
		fmt.Printf("%s: %s\n", k.Name, k.Doc)
	}
	// Output:
	// signal: Send the victim a signal.
	// pause: SIGSTOP, and SIGCONT after a while.
	// freeze: Stop every member at one moment, and continue them all after a while.
}
