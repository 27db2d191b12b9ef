// Package bench measures the pool against what this machine can do with raw code, in the same run. It is what
// `respawn bench` runs; each group of figures is a file.
package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/pool"
)

// Options says what to measure. The zero value measures everything in five runs with seed 0.
type Options struct {
	Only []string // names of groups; empty: all
	Runs int      // runs that each median is over; 0: 5
	Seed uint64   // of the victims' order
	Tell func(format string, args ...any)
}

// group is a set of figures that are measured together.
type group struct {
	name string
	most int // runs that are worth its time; 0: as many as asked for
	run  func(context.Context, *session) error
}

// groups in the order in which they run.
var groups = []group{
	{"tasks", 0, measureTasks},
	{"callers", 0, measureCallers},
	{"roundtrip", 0, measureRoundtrip},
	{"echo", 0, measureEcho},
	{"curve", 0, measureCurve},
	{"map", 3, measureMap},
	{"recovery", 0, measureRecovery},
	{"scale", 3, measureScale},
	{"soak", 1, measureSoak},
	{"storm", 0, measureStorm},
	{"external", 3, measureExternal},
	{"report", 3, measureReport},
}

// Names are what Options.Only can have.
func Names() []string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.name
	}
	return names
}

// Validate reports every unknown name.
func (o Options) Validate() error {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("no group %q: want one of %s", name, strings.Join(Names(), ", "))
		}
	}
	if o.Runs < 0 {
		return fmt.Errorf("%d runs: want at least 1", o.Runs)
	}
	return nil
}

// session is one call of Run.
type session struct {
	Options
	*Result
	runs int // of the group that is running
}

// workers is the size of every pool here but the large one.
const workers = 4

// Run measures. Figures that could be taken are in the result also when an error ends the run early.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Runs == 0 {
		o.Runs = 5
	}
	if o.Tell == nil {
		o.Tell = func(string, ...any) {}
	}
	s := &session{Options: o, Result: &Result{Environment: environment()}}
	s.Environment.Seed = o.Seed
	for _, g := range groups {
		if len(o.Only) > 0 && !slices.Contains(o.Only, g.name) {
			continue
		}
		s.runs = o.Runs
		if g.most > 0 {
			s.runs = min(s.runs, g.most)
		}
		began := time.Now()
		s.Tell("%s …", g.name)
		runtime.GC() // what the last group left is not this one's to collect
		if err := g.run(ctx, s); err != nil {
			return s.Result, fmt.Errorf("%s: %w", g.name, err)
		}
		s.Environment.Runs[g.name] = s.runs
		s.Tell("%s took %s", g.name, units.Time(time.Since(began).Seconds()))
	}
	return s.Result, nil
}

// problem records a wrong result.
func (s *session) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

// note records what a reader of the figures should know.
func (s *session) note(format string, args ...any) {
	s.Environment.Notes = append(s.Environment.Notes, fmt.Sprintf(format, args...))
}

// newPool makes a pool and has every slot answer once.
func newPool(ctx context.Context, cfg pool.Config) (*pool.Pool, error) {
	p, err := pool.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := probeAll(ctx, p); err != nil {
		p.Terminate()
		return nil, err
	}
	return p, nil
}

// each calls fn once a run, until one fails.
func (s *session) each(ctx context.Context, fn func() error) error {
	for range s.runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}
