package export_test

import (
	"fmt"
	"io"

	"github.com/respawn-go/respawn/reports/export"
)

// A run as spans: for a spreadsheet, and by OTLP and Grafana for those who look at running systems.
func ExampleFold() {
	run, err := export.Fold(header, story(), 0) // of a history: export.Read(path, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range run.Spans {
		if s.Kind == export.OfFault || s.Kind == export.OfRecovery {
			fmt.Printf("%s took %v\n", s.Title(), s.End-s.Start)
		}
	}
	if err := run.OTLP(io.Discard); err != nil {
		fmt.Println(err)
	}
	// Output:
	// fault signal KILL took 2ms
	// recovery of slot 1 took 6ms
}
