//go:build linux

// Command brokenpool is a small process pool behind a driver (docs/drivers.md) that breaks its promises on request:
// each word on its command line switches on one bug. Without any it is correct. It is the target that shows that
// verdicts are right: the tests run every switch against the scenarios that must fail on it. Never use it for work.
//
//	brokenpool [SWITCH[@TRIGGER]...]   speaks the driver protocol
//	brokenpool list                    prints every switch and what it does
//
// It shares no code with the pool, the engine or the judge of this module, so that a mistake there is not made here
// too:
//
//	protocol.go   the conversation with the harness
//	pool.go       the pool, correct, with joints at which a switch can bend it
//	worker.go     the process that runs tasks
//	switches.go   the switches, a table
//	triggers.go   what may switch one on later
package main

import (
	"fmt"
	"os"
)

func main() {
	switch words := os.Args[1:]; {
	case len(words) == 1 && words[0] == "list":
		for _, s := range switches {
			fmt.Printf("%s\t%s\n", s.word, s.does)
		}
	case len(words) > 0 && words[0] == "worker":
		work(words[1:])
	default:
		converse(words)
	}
}
