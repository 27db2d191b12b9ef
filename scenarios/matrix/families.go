package matrix

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

//go:embed servers/*.yaml supervisors/*.yaml fleets/*.yaml
var files embed.FS

// family is targets that are put through the same scenarios.
type family struct {
	name    string
	size    int // members of each target
	columns []column
	// settle bounds how long a target may take to recover after the last fault, to finish what is in flight, and to
	// answer the last probes, each; "" as the scenarios say. A pool that hangs takes that long three times.
	settle string
	// atOnce is how many targets are tested at a time; 0: one. Those that do nothing but wait do not get in each
	// other's way.
	atOnce int
}

// column is a scenario.
type column struct {
	scenario string // of the library, or of the family's folder here
	// title is what the column is called, and tell what a cell says; "" and nil for the scenario's name and for the
	// verdict.
	title string
	tell  func(*reports.MatrixCell) string
	env   map[string]string // what the programs are started with beside
}

// families is in reading order; the first is the default.
var families = []family{
	{
		name: kind.Pools, size: 4, settle: "settle=4s", // those that tell pools apart
		columns: []column{
			{scenario: "tutorial"}, {scenario: "kill-each-idle"}, {scenario: "kill-busy"}, {scenario: "kill-storm"},
		},
	},
	{
		name: kind.Servers, size: 4, atOnce: 5,
		columns: []column{
			{scenario: "one-worker", title: "one worker killed: back after; requests unanswered", tell: also(backAfter,
				unanswered)},
			{scenario: "each-worker", title: "each worker killed once: who answers then", tell: also(answers,
				unanswered)},
			{scenario: "twenty-workers", title: "twenty killed in 5 s: who answers then", tell: also(answers,
				unanswered)},
			{scenario: "stopped-worker", title: "a worker stopped for 10 s: noticed?", tell: also(noticed, unanswered)},
			{scenario: "main-killed", title: "main process killed: who lives on? started again?", tell: livesOn},
		},
	},
	{
		name: kind.Supervisors, size: 2, atOnce: 15,
		columns: []column{
			{scenario: "one-kill", title: "one kill: back after (within 20 s)", tell: backAfter},
			{scenario: "twenty-kills", title: "twenty kills, one a second: gives up?", tell: givesUp},
			{
				scenario: "dies-at-once", title: "dies at once twenty times: back after (within 40 s)", tell: backAfter,
				env: map[string]string{"FIRST": "2", "DIES": "20"},
			},
			{scenario: "stopped", title: "stopped for 10 s: noticed?", tell: noticed},
			{
				scenario: "grandchildren", title: "grandchildren left by 4 kills", tell: left,
				env: map[string]string{"GRANDCHILD": "1"},
			},
			{scenario: "supervisor-killed", title: "supervisor killed: who lives on? started again?", tell: livesOn},
		},
	},
	{
		name: kind.Fleets, size: 3, atOnce: 5,
		columns: []column{
			{
				scenario: "node-killed",
				title:    "a busy node killed: its task runs elsewhere after; ok / failed / hung / lost / duplicated",
				tell:     also(elsewhere, (*reports.MatrixCell).Tasks),
			},
			{scenario: "node-storm", title: "one every 2 s, five times: the last task runs elsewhere after; ok / " +
				"failed / hung / lost / duplicated", tell: also(elsewhere, (*reports.MatrixCell).Tasks)},
		},
	},
}

// Families lists the names of the families.
func Families() (names []string) {
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}

// familyOf finds a family by its name, the default by "".
func familyOf(name string) (f family, ok bool) {
	if name == "" {
		return families[0], true
	}
	i := slices.IndexFunc(families, func(f family) bool { return f.name == name })
	if i < 0 {
		return f, false
	}
	return families[i], true
}

// column finds the column of a scenario; one of a scenario that is not among them has but its name.
func (f family) column(scenario string) column {
	if i := slices.IndexFunc(f.columns, func(c column) bool { return c.scenario == scenario }); i >= 0 {
		return f.columns[i]
	}
	return column{scenario: scenario}
}

// scenarios are the names of the family's own.
func (f family) scenarios() (names []string) {
	for _, c := range f.columns {
		names = append(names, c.scenario)
	}
	return names
}

// read reads a scenario by its name in the family's folder or in the library, or by its path.
func (f family) read(name string, o scenarios.Options) (*scenarios.Scenario, error) {
	if f.settle != "" {
		o.Set = append([]string{f.settle}, o.Set...)
	}
	if strings.HasSuffix(name, ".yaml") {
		return scenarios.ReadFile(name, o)
	}
	file := f.name + "/" + name + ".yaml"
	if text, err := files.ReadFile(file); err == nil {
		return scenarios.Parse("matrix/"+file, text, o)
	}
	return scenarios.ReadNamed(name, o)
}

func backAfter(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		if r.Metric("pool.ready") < r.Metric("pool.want") {
			return "not at all"
		}
		return ""
	}, "slot.recovery.max")
}

// elsewhere tells how long a death left the task longest that it cut short.
func elsewhere(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		switch {
		case r.Metric("tasks.requeue.count") > 0:
			return ""
		case r.Metric("tasks.ok") == r.Metric("tasks.submitted"):
			return "no task was cut short"
		}
		return "not at all"
	}, "tasks.requeue.max")
}

func givesUp(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		switch ready := r.Metric("pool.ready"); {
		case ready >= r.Metric("pool.want"):
			return "no"
		case ready == 0:
			return fmt.Sprintf("yes, of both, after %.0f", r.Metric("faults.fatal"))
		}
		return fmt.Sprintf("yes, after %.0f", r.Metric("faults.fatal"))
	}, "")
}

func noticed(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		if r.Metric("pids.turnover") > 0 {
			return "yes"
		}
		return "no"
	}, "")
}

func left(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		return fmt.Sprintf("%.0f of %.0f", r.Metric("processes.left"), r.Metric("faults.fatal"))
	}, "")
}

// answers tells how many members answered at the end; where nobody tells which of them answer, how many are there.
func answers(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		if want := r.Metric("pool.want"); r.Metric("slots.answering") < want || r.Metric("pool.ready") < want {
			return fmt.Sprintf("%.0f of %.0f", min(r.Metric("slots.answering"), r.Metric("pool.ready")), want)
		}
		return "all"
	}, "")
}

// unanswered tells how many requests were not answered as they should be.
func unanswered(c *reports.MatrixCell) string {
	return c.Spread(func(r *reports.MatrixRun) float64 { return r.Metric("tasks.submitted") - r.Metric("tasks.ok") }) +
		" of " +
		c.Spread(func(r *reports.MatrixRun) float64 { return r.Metric("tasks.submitted") })
}

// also tells the one and then the other.
func also(one, other func(*reports.MatrixCell) string) func(*reports.MatrixCell) string {
	return func(c *reports.MatrixCell) string { return one(c) + "; " + other(c) }
}

func livesOn(c *reports.MatrixCell) string {
	return c.Each(func(r *reports.MatrixRun) string {
		who := "nobody"
		if n := r.Metric("processes.orphaned"); n > 0 {
			who = fmt.Sprintf("%.0f processes", n)
			if r.Metric("slots.answering") > 0 && r.Metric("tasks.submitted") > 0 {
				who += ", and answer"
			}
		}
		if r.NewParent == "" {
			return who
		}
		short, _, _ := strings.Cut(r.NewParent, ":")
		short, _, _ = strings.Cut(short, " beside ")
		return who + "; a new one " + short
	}, "")
}
