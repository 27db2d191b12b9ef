// Package storm makes up histories: runs that never happened, of any size, which the judge passes, and which have
// something for every part of a report. Tests and the benchmark of the reports use it.
package storm

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Storm is a run of some minutes with kills at even distances. Events of the same Storm are always the same.
type Storm struct {
	Tasks  int           // submissions
	Kills  int           // confirmed ones
	Slots  int           // 0: 8
	Length time.Duration // of the stage chaos; 0: a minute
	// Text stands in every place where a target or its tasks may write what they like; "" for something harmless.
	Text string
	// Broken makes a worker end with nobody knowing why, leave a megabyte of last words, and lose its task.
	Broken bool
}

// Header is the history's first line.
func (s Storm) Header() history.Header {
	s = s.filled()
	return history.Header{
		SchemaVersion: history.SchemaVersion,
		Scenario:      "made-up" + s.Text, Description: "A storm that never was. " + s.Text, Seed: 42,
		Command: "respawn run made-up --seed 42 " + s.Text, Started: time.Unix(1_790_000_000, 0).UTC(),
		Target: history.Target{
			Kind: "pool", Name: "respawn" + s.Text, Version: s.Text, Size: s.Slots,
			Can: []string{"events", "phases", "exits", "attempts", "slots", "witness", "marker"},
		},
		Load: &history.Load{Task: "sleep", Concurrency: 4 * s.Slots, Count: s.Tasks},
		Rules: []history.Rule{
			{Group: "steady", Text: "pool.ready == size", Metric: "pool.ready", Op: "==", Limit: float64(s.Slots)},
			{Group: "expect", Text: "slot.recovery.max <= 250ms", Metric: "slot.recovery.max", Op: "<=", Limit: 0.25},
			{Group: "require", Text: "faults.confirmed >= 1", Metric: "faults.confirmed", Op: ">=", Limit: 1},
		},
		Nemesis:      []history.Nemesis{{Fault: "signal KILL", Pick: "random 1", When: "every 500ms", Require: 1}},
		Floors:       map[string]float64{"respawn": 0.0062},
		Cores:        2,
		Environment:  map[string]string{"kernel": "Linux 6.18", "text" + s.Text: s.Text},
		Capabilities: map[string]string{"pidfd": "yes", "memory cgroup": "no: " + s.Text},
		Source:       "name: made-up\n# " + s.Text + "\n",
	}
}

func (s Storm) filled() Storm {
	if s.Slots == 0 {
		s.Slots = 8
	}
	if s.Length == 0 {
		s.Length = time.Minute
	}
	return s
}

// Events are the lines after the header, the end excepted.
func (s Storm) Events() iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		//nolint:gosec // made up all the same each time
		m := &maker{Storm: s.filled(), rng: rand.New(rand.NewPCG(1, 2)), yield: yield}
		m.run()
	}
}

// Write makes a history file of it.
func (s Storm) Write(path string) error {
	var now time.Duration
	w, err := history.Create(path, s.Header(), history.Options{Now: func() time.Duration { return now }})
	if err != nil {
		return err
	}
	for e := range s.Events() {
		now = e.T
		if err := w.Append(e); err != nil {
			break // Close has it too
		}
	}
	return w.Close(false)
}

// Complete are the events with their end, as a reader of the file yields them.
func (s Storm) Complete() iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		var last history.Event
		n := 0
		for e := range s.Events() {
			last, n = e, n+1
			if !yield(e, nil) {
				return
			}
		}
		yield(history.Event{T: last.T, End: &history.End{Events: n}}, nil)
	}
}
