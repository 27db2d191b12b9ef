package scenarios_test

import (
	"context"
	"fmt"

	"github.com/respawn-go/respawn/scenarios"
)

// Mistakes come back all at once, each with its place and with what would be right.
func ExampleParse() {
	_, err := scenarios.Parse("mine.yaml", []byte(`name: mine
target:
  pool: {size: 4}
load: {task: slep, concurrency: 8}
chaos:
  - fault: {signal: KILL}
    pick: {random: 1}
    when: {every: 200}
`), scenarios.Options{})
	fmt.Println(err)
	// Output:
	// mine.yaml:4:14: unknown task "slep": did you mean "sleep"?
	// mine.yaml:8:19: 200 needs a unit: 200ms or 200s?
}

// A scenario of the library runs with two lines. Programs that have a pool call pool.Main first, since its workers are
// this program.
func ExampleScenario_Run() {
	s, err := scenarios.ReadNamed("random-kill", scenarios.Options{Short: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := s.Run(context.Background(), scenarios.RunOptions{Dir: "respawn-out/random-kill", Seed: 7})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Verdict, r.Cause)
}
