package scenarios

import (
	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/naive"
	"github.com/respawn-go/respawn/scenarios/targets"
)

// Listing is everything that a scenario can name.
type Listing struct {
	Scenarios []Entry `json:"scenarios"` // of the library
	Faults    []Entry `json:"faults"`
	Metrics   []Entry `json:"metrics"`
	Floors    []Entry `json:"floors"`
	Tasks     []Entry `json:"tasks"`
	Bugs      []Entry `json:"bugs"` // of the naive pool, and at the edge of ours
}

// Entry is one name and what it is for.
type Entry struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"` // of a metric
	Doc  string `json:"doc,omitempty"`
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
		l.Tasks = append(l.Tasks, Entry{Name: name})
	}
	for _, b := range naive.Bugs() {
		l.Bugs = append(l.Bugs, Entry{Name: string(b), Doc: "for target.naive.bugs"})
	}
	for _, b := range targets.EdgeBugs() {
		l.Bugs = append(l.Bugs, Entry{Name: b, Doc: "for target.pool.bugs"})
	}
	return l, nil
}
