package scenarios

import (
	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/scenarios/targets"
)

// Listing is everything that a scenario can name.
type Listing struct {
	Scenarios []Entry `json:"scenarios"` // of the library
	Faults    []Entry `json:"faults"`
	Metrics   []Entry `json:"metrics"`
	Floors    []Entry `json:"floors"`
	Tasks     []Entry `json:"tasks"`
	Bugs      []Entry `json:"bugs"` // at the edge of our pool
}

// Entry is one name and what it is for.
type Entry struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"` // of a metric
	Doc  string `json:"doc,omitempty"`
}

// taskDocs says what the built-in tasks do, and their arguments.
var taskDocs = map[string]string{
	"sleep":  "waits for args.duration",
	"square": "squares a number: as short as a task can be",
	"hash":   "args.rounds of SHA-256: uses the CPU",
	"primes": "counts the primes below args.below: uses the CPU",
	"echo":   "gives args.bytes back: large arguments and results",
	"alloc":  "touches args.bytes of memory; with args.keep it leaks them",
}

// edgeBugDocs says what the bugs at the edge of our pool do.
var edgeBugDocs = map[string]string{
	targets.LosesTasks:   "a task that was in flight at a death never settles",
	targets.WrongValues:  "the value of a task that was in flight at a death is another's",
	targets.RunsTwice:    "a task that was in flight at a death, and every tenth, is run once more",
	targets.KillsOthers:  "the first death takes another worker with it",
	targets.LeavesZombie: "each death leaves a child that is not reaped",
	targets.LeavesOrphan: "something that was started outlives the pool",
	targets.AnswersLate:  "once a worker has died, slots answer after six seconds",
	targets.Impatient:    "a worker that is stopped is killed at once",
}

// List lists everything that a scenario can name.
func List() (Listing, error) {
	var l Listing
	for _, name := range Library() {
		s, err := ReadNamed(name, Options{})
		if err != nil {
			return l, err
		}
		l.Scenarios = append(l.Scenarios, Entry{Name: name, Doc: s.Description})
	}
	for _, k := range chaos.Kinds() {
		l.Faults = append(l.Faults, Entry{Name: k.Name, Doc: k.Doc})
	}
	for _, m := range check.Metrics() {
		l.Metrics = append(l.Metrics, Entry{Name: m.Name, Unit: string(m.Unit), Doc: m.Meaning})
	}
	for _, f := range check.Floors() {
		l.Floors = append(l.Floors, Entry{Name: "floor." + f.Name, Unit: "s", Doc: f.Meaning})
	}
	for _, name := range []string{"sleep", "square", "hash", "primes", "echo", "alloc"} {
		l.Tasks = append(l.Tasks, Entry{Name: name, Doc: taskDocs[name]})
	}
	for _, b := range targets.EdgeBugs() {
		l.Bugs = append(l.Bugs, Entry{Name: b, Doc: "target.pool: " + edgeBugDocs[b]})
	}
	return l, nil
}
