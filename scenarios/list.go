package scenarios

import (
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// Listing is everything that a scenario can name.
type Listing struct {
	Scenarios []Entry `json:"scenarios"` // of the library
	Targets   []Entry `json:"targets"`
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
	for _, k := range targets.Kinds() {
		l.Targets = append(l.Targets, Entry{Name: k.Name, Doc: k.Doc})
	}
	for _, k := range faults.Kinds() {
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
	for _, b := range own.Bugs() {
		l.Bugs = append(l.Bugs, Entry{Name: b.Name, Doc: "target.pool: " + b.Doc})
	}
	return l, nil
}
