// Package matrix runs the same scenarios against every target that is installed: this project's pool, the pools behind
// our drivers, and preforking servers.
package matrix

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/drivers"
	"github.com/respawn-go/respawn/scenarios/programs"
	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Options says what is run.
type Options struct {
	// Family is one of Families; "" means the first.
	Family string
	// Targets are names of Targets of the family, and NAME=COMMAND for a driver of the caller's own, whose words are
	// split at spaces; none means all of them.
	Targets []string
	// Scenarios are names of the family's scenarios or of the library, or files by a path that ends in .yaml; none
	// means Scenarios of the family.
	Scenarios []string
	// Out is the directory for the reports and the matrix.
	Out string
	// Repeat is how often each cell is run, with one seed after another; 0 means once.
	Repeat int
	// Seed is the first run's; 0 means 1.
	Seed uint64
	// Command repeats it all, for the header.
	Command string
	// Progress is told of every run that begins and that has ended, of several at once in some families. May be nil.
	Progress func(target, scenario string, r *reports.Report)
}

// Scenarios lists the scenarios that targets of a family are put through.
func Scenarios(name string) []string {
	f, _ := familyOf(name)
	return f.scenarios()
}

// target is one that can be tested.
type target struct {
	kind.Known
	kind string
}

// Targets lists the names of all targets of a family.
func Targets(family string) (names []string) {
	f, _ := familyOf(family)
	for _, t := range f.targets(kind.Files{}) {
		names = append(names, t.Name)
	}
	return names
}

// targets makes the targets of the family.
func (f family) targets(files kind.Files) (list []target) {
	for _, k := range targets.Kinds() {
		if k.Known == nil {
			continue
		}
		for _, known := range k.Known(files) {
			if known.Family == f.name {
				list = append(list, target{known, k.Name})
			}
		}
	}
	return list
}

// Run runs every scenario against every target, one after the other, and writes matrix.json, matrix.md and matrix.html
// to Out beside the runs' own reports. A target that is not installed is a row that says so, and a scenario that it
// cannot be put through a cell. Errors: a name that is unknown, before anything is run; what broke in the harness;
// ctx's, with the matrix as far as it came.
func Run(ctx context.Context, o Options) (*reports.Matrix, error) {
	f, ok := familyOf(o.Family)
	if !ok {
		return nil, &UnknownFamilyError{o.Family}
	}
	if len(o.Scenarios) == 0 {
		o.Scenarios = f.scenarios()
	}
	o.Repeat, o.Seed = max(o.Repeat, 1), max(o.Seed, 1)
	if err := o.check(f); err != nil {
		return nil, err
	}
	dir, remove, err := scratch.Dir("respawn-drivers-")
	if err != nil {
		return nil, err
	}
	defer remove()
	var at kind.Files
	if at.Drivers, err = drivers.Dir(dir); err == nil {
		at.Programs, err = programs.Dir(dir)
	}
	if err == nil && f.name != kind.Pools { // what install.sh has installed is what the table names
		err = os.Setenv("PATH", programs.Path())
	}
	if err != nil {
		return nil, err
	}
	m := &reports.Matrix{
		SchemaVersion: reports.SchemaVersion, Started: time.Now(), Command: o.Command, Family: f.name,
		Scenarios:   o.Scenarios,
		Environment: scenarios.Environment(),
	}
	for _, name := range o.Scenarios {
		m.Titles = append(m.Titles, cmp.Or(f.column(name).title, name))
	}
	err = o.rows(ctx, f, o.chosen(f.targets(at)), m)
	m.DurationS = time.Since(m.Started).Seconds()
	return m, errors.Join(err, o.write(m))
}

// rows tests the targets, as many at a time as is right for the family. What breaks ends the others.
func (o *Options) rows(ctx context.Context, f family, list []target, m *reports.Matrix) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	turns := make(chan struct{}, max(f.atOnce, 1))
	var wg sync.WaitGroup
	m.Targets = make([]reports.MatrixTarget, len(list))
	for i, t := range list {
		m.Targets[i] = reports.MatrixTarget{Name: t.Name, Pool: t.Pool}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if ctx.Err() != nil {
				return
			}
			row, err := o.row(ctx, f, t)
			m.Targets[i] = row
			if err != nil {
				cancel(fmt.Errorf("%s: %w", t.Name, err)) // the first counts
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// chosen are the targets of the list that are asked for, and then the caller's own.
func (o *Options) chosen(list []target) []target {
	if len(o.Targets) == 0 {
		return list
	}
	list = slices.DeleteFunc(list, func(t target) bool { return !slices.Contains(o.Targets, t.Name) })
	for _, word := range o.Targets {
		if name, argv, ok := own(word); ok {
			list = append(list, target{
				kind.Known{Family: kind.Pools, Name: name, Pool: name, Settings: map[string]any{"command": argv}},
				driver.Row.Name,
			})
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
func (o *Options) check(f family) error {
	known := Targets(f.name)
	taken := slices.Clone(known)
	for _, word := range o.Targets {
		name, argv, isOwn := own(word)
		switch {
		case !isOwn && !slices.Contains(known, name):
			return &UnknownTargetError{Name: name, Family: f.name}
		case isOwn && f.name != kind.Pools:
			return &UnknownTargetError{Name: word, Family: f.name}
		case isOwn && (!ownName.MatchString(name) || len(argv) == 0 || slices.Contains(taken, name)):
			return &UnknownTargetError{Name: word, Own: true}
		case isOwn:
			taken = append(taken, name)
		}
	}
	for _, name := range o.Scenarios {
		if _, err := f.read(name, scenarios.Options{}); err != nil {
			return err
		}
	}
	return nil
}

// UnknownFamilyError is about a name that is no family's.
type UnknownFamilyError struct{ Name string }

func (e *UnknownFamilyError) Error() string {
	return fmt.Sprintf("there is no family %q: %s", e.Name, nearest.Meant(e.Name, Families()))
}

// UnknownTargetError is about a name that is no target's.
type UnknownTargetError struct {
	Name   string
	Family string
	Own    bool // it was to be NAME=COMMAND
}

func (e *UnknownTargetError) Error() string {
	if e.Own {
		return fmt.Sprintf("%q: want NAME=COMMAND with a name of lower-case letters, digits and dashes that no other "+
			"target has, such as mine=node my_pool.mjs", e.Name)
	}
	for _, other := range Families() {
		if other != e.Family && slices.Contains(Targets(other), e.Name) {
			return fmt.Sprintf("there is no target %q in the family %s: want --family %s", e.Name, e.Family, other)
		}
	}
	return fmt.Sprintf("there is no target %q: %s", e.Name, nearest.Meant(e.Name, Targets(e.Family)))
}

// row tests one target.
func (o *Options) row(ctx context.Context, f family, t target) (reports.MatrixTarget, error) {
	row := reports.MatrixTarget{Name: t.Name, Pool: t.Pool}
	for _, name := range o.Scenarios {
		s, err := t.scenario(f, name)
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
			r, err := o.run(ctx, t, name, s, dir, o.Seed+uint64(i))
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
				break
			}
		}
		if column := f.column(name); column.tell != nil && len(cell.Runs) > 0 {
			cell.Told = column.tell(&cell)
		}
		row.Cells = append(row.Cells, cell)
		if ctx.Err() != nil {
			return row, ctx.Err()
		}
	}
	return row, nil
}

// rate is how many calls a second servers get.
const rate = "20/s"

// scenario is that scenario, unchanged but for its target, for how long hanging is watched, and for calls that are the
// target's.
func (t target) scenario(f family, name string) (*scenarios.Scenario, error) {
	var set []string
	put := func(key string, value map[string]any) error {
		text, err := json.Marshal(value) // which is YAML too
		set = append(set, key+"="+string(text))
		return err
	}
	if t.Settings != nil {
		if err := put("target", map[string]any{t.kind: t.settings(f, f.column(name).env)}); err != nil {
			return nil, err
		}
	}
	if t.Load != nil && f.name == kind.Servers {
		load := maps.Clone(t.Load)
		load["rate"] = rate
		if err := put("load", load); err != nil {
			return nil, err
		}
	}
	return f.read(name, scenarios.Options{Set: set})
}

// settings are the target's in that family, whose programs are started with env beside.
func (t target) settings(f family, env map[string]string) map[string]any {
	settings := maps.Clone(t.Settings)
	size := cmp.Or(t.Size, "size")
	settings[size] = cmp.Or(settings[size], any(f.size))
	switch command := settings["command"].(type) {
	case []string:
		words := []string{"env"}
		for _, key := range slices.Sorted(maps.Keys(env)) {
			words = append(words, key+"="+env[key])
		}
		if len(env) > 0 {
			settings["command"] = append(words, command...)
		}
	default:
		merged, _ := settings["env"].(map[string]any)
		merged = maps.Clone(merged)
		for key := range env {
			if merged == nil {
				merged = map[string]any{}
			}
			merged[key] = env[key]
		}
		if merged != nil {
			settings["env"] = merged
		}
	}
	return settings
}

func (o *Options) run(ctx context.Context, t target, name string, s *scenarios.Scenario, dir string,
	seed uint64,
) (*reports.Report, error) {
	tell := o.Progress
	if tell == nil {
		tell = func(string, string, *reports.Report) {}
	}
	tell(t.Name, s.Name, nil)
	r, err := s.Run(ctx, scenarios.RunOptions{
		Dir: filepath.Join(o.Out, dir), Seed: seed,
		Command: fmt.Sprintf("respawn matrix%s --targets %s --scenario %s --seed %d",
			o.ofFamily(), o.asked(t.Name), scenarios.Quoted(name), seed),
	})
	if err == nil {
		tell(t.Name, s.Name, r)
	}
	return r, err
}

// ofFamily is how the family was asked for.
func (o *Options) ofFamily() string {
	if o.Family == "" {
		return ""
	}
	return " --family " + o.Family
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
