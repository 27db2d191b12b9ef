// Package matrix runs the same scenarios against every target that is installed: this project's pool, the pools behind our
// drivers, and preforking servers.
package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/drivers"
	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Options says what is run.
type Options struct {
	// Targets are names of Targets, and NAME=COMMAND for a driver of the caller's own, whose words are split at spaces; none
	// means all of Targets.
	Targets []string
	// Scenarios are names of the library, or files by a path that ends in .yaml; none means DefaultScenarios.
	Scenarios []string
	// Out is the directory for the reports and the matrix.
	Out string
	// Repeat is how often each cell is run, with one seed after another; 0 means once.
	Repeat int
	// Seed is the first run's; 0 means 1.
	Seed uint64
	// Command repeats it all, for the header.
	Command string
	// Progress is told of every run that begins and that has ended. May be nil.
	Progress func(target, scenario string, r *reports.Report)
}

// DefaultScenarios are those that tell pools apart.
var DefaultScenarios = []string{"tutorial", "kill-each-idle", "kill-busy", "kill-storm"}

// settle bounds how long a pool may take to recover after the last fault, to finish what is in flight, and to answer the
// last probes, each. A pool that hangs takes that long three times.
const settle = "settle=4s"

// target is one that can be tested.
type target struct {
	kind.Known
	kind string
}

// Targets lists the names of all targets.
func Targets() (names []string) {
	for _, t := range all("") {
		names = append(names, t.Name)
	}
	return names
}

// all makes the targets; dir has the drivers.
func all(dir string) (list []target) {
	for _, k := range targets.Kinds() {
		if k.Known == nil {
			continue
		}
		for _, known := range k.Known(dir) {
			list = append(list, target{known, k.Name})
		}
	}
	return list
}

// poolSize is that of the library's scenarios that are run here.
const poolSize = 4

// Run runs every scenario against every target, one after the other, and writes matrix.json, matrix.md and matrix.html to
// Out beside the runs' own reports. A target that is not installed is a row that says so, and a scenario that it cannot be
// put through a cell. Errors: a name that is unknown, before anything is run; what broke in the harness; ctx's, with the
// matrix as far as it came.
func Run(ctx context.Context, o Options) (*reports.Matrix, error) {
	if len(o.Scenarios) == 0 {
		o.Scenarios = DefaultScenarios
	}
	o.Repeat, o.Seed = max(o.Repeat, 1), max(o.Seed, 1)
	if err := o.check(); err != nil {
		return nil, err
	}
	dir, remove, err := scratch.Dir("respawn-drivers-")
	if err != nil {
		return nil, err
	}
	defer remove()
	dir, err = drivers.Dir(dir)
	if err != nil {
		return nil, err
	}
	m := &reports.Matrix{
		SchemaVersion: reports.SchemaVersion, Started: time.Now(), Command: o.Command, Scenarios: o.Scenarios,
		Environment: scenarios.Environment(),
	}
	for _, t := range o.chosen(dir) {
		row, err := o.row(ctx, t)
		m.Targets = append(m.Targets, row)
		if err != nil {
			return m, errors.Join(fmt.Errorf("%s: %w", t.Name, err), o.write(m))
		}
	}
	m.DurationS = time.Since(m.Started).Seconds()
	return m, o.write(m)
}

// chosen are the targets that are asked for, in the order of Targets, and then the caller's own.
func (o *Options) chosen(dir string) []target {
	list := all(dir)
	if len(o.Targets) == 0 {
		return list
	}
	list = slices.DeleteFunc(list, func(t target) bool { return !slices.Contains(o.Targets, t.Name) })
	for _, word := range o.Targets {
		if name, argv, ok := own(word); ok {
			list = append(list, target{kind.Known{Name: name, Pool: name, Settings: map[string]any{"command": argv}}, driver.Row.Name})
		}
	}
	return list
}

// own is a driver of the caller's own, NAME=COMMAND.
func own(word string) (name string, argv []string, ok bool) {
	name, command, ok := strings.Cut(word, "=")
	return name, strings.Fields(command), ok
}

// ownName is what such a driver may be called: its reports go into a directory of that name.
var ownName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// check finds the names that are unknown.
func (o *Options) check() error {
	taken := Targets()
	for _, word := range o.Targets {
		name, argv, isOwn := own(word)
		switch {
		case !isOwn && !slices.Contains(Targets(), name):
			return &UnknownTargetError{Name: name}
		case isOwn && (!ownName.MatchString(name) || len(argv) == 0 || slices.Contains(taken, name)):
			return &UnknownTargetError{Name: word, Own: true}
		case isOwn:
			taken = append(taken, name)
		}
	}
	for _, name := range o.Scenarios {
		if _, err := read(name, scenarios.Options{Set: []string{settle}}); err != nil {
			return err
		}
	}
	return nil
}

// read reads a scenario by its name in the library or by its path.
func read(name string, o scenarios.Options) (*scenarios.Scenario, error) {
	if strings.HasSuffix(name, ".yaml") {
		return scenarios.ReadFile(name, o)
	}
	return scenarios.ReadNamed(name, o)
}

// UnknownTargetError is about a name that is no target's.
type UnknownTargetError struct {
	Name string
	Own  bool // it was to be NAME=COMMAND
}

func (e *UnknownTargetError) Error() string {
	if e.Own {
		return fmt.Sprintf("%q: want NAME=COMMAND with a name of lower-case letters, digits and dashes that no other target has, such as mine=node my_pool.mjs", e.Name)
	}
	return fmt.Sprintf("there is no target %q: %s", e.Name, nearest.Meant(e.Name, Targets()))
}

// row tests one target.
func (o *Options) row(ctx context.Context, t target) (reports.MatrixTarget, error) {
	row := reports.MatrixTarget{Name: t.Name, Pool: t.Pool}
	for _, name := range o.Scenarios {
		s, err := t.scenario(name)
		var problems scenarios.Problems
		if errors.As(err, &problems) {
			row.Cells = append(row.Cells, reports.MatrixCell{Scenario: name, Refused: problems[0].Text})
			continue
		}
		if err != nil {
			return row, err
		}
		cell := reports.MatrixCell{Scenario: s.Name}
		for i := range o.Repeat {
			dir := filepath.Join(t.Name, s.Name)
			if i > 0 {
				dir = fmt.Sprintf("%s.%d", dir, i+1)
			}
			r, err := o.run(ctx, t, s, dir, o.Seed+uint64(i))
			if errors.As(err, &problems) { // the driver cannot tell what the scenario asks
				cell.Refused = problems[0].Text
				break
			}
			switch {
			case err != nil:
				return row, fmt.Errorf("%s: %w", name, err)
			case r.NotInstalled != "":
				row.Missing = r.NotInstalled
				return row, nil
			}
			row.Version = r.Target.Version
			cell.Runs = append(cell.Runs, reports.NewMatrixRun(r, dir))
			if ctx.Err() != nil {
				row.Cells = append(row.Cells, cell)
				return row, ctx.Err()
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row, nil
}

// scenario is that scenario, unchanged but for its target and for how long hanging is watched.
func (t target) scenario(name string) (*scenarios.Scenario, error) {
	set := []string{settle}
	if t.Settings != nil {
		settings := maps.Clone(t.Settings)
		settings["size"] = poolSize
		text, err := json.Marshal(map[string]any{t.kind: settings}) // which is YAML too
		if err != nil {
			return nil, err
		}
		set = append(set, "target="+string(text))
	}
	return read(name, scenarios.Options{Set: set})
}

func (o *Options) run(ctx context.Context, t target, s *scenarios.Scenario, dir string, seed uint64) (*reports.Report, error) {
	tell := o.Progress
	if tell == nil {
		tell = func(string, string, *reports.Report) {}
	}
	tell(t.Name, s.Name, nil)
	r, err := s.Run(ctx, scenarios.RunOptions{
		Dir: filepath.Join(o.Out, dir), Seed: seed,
		Command: fmt.Sprintf("respawn matrix --targets %s --scenario %s --seed %d", o.asked(t.Name), scenarios.Quoted(s.Argument()), seed),
	})
	if err == nil {
		tell(t.Name, s.Name, r)
	}
	return r, err
}

// asked is how a target was asked for, as a word for a shell.
func (o *Options) asked(name string) string {
	for _, word := range o.Targets {
		if strings.HasPrefix(word, name+"=") {
			return scenarios.Quoted(word)
		}
	}
	return name
}

func (o *Options) write(m *reports.Matrix) error {
	return errors.Join(
		reports.WriteFile(filepath.Join(o.Out, "matrix.json"), m.JSON),
		reports.WriteFile(filepath.Join(o.Out, "matrix.md"), m.Markdown),
		reports.WriteFile(filepath.Join(o.Out, "matrix.html"), m.HTML),
	)
}
