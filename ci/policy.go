package ci

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/reports"
)

// Policy says what the gate asks for. The zero value asks that every run there is passed within the last day, and
// that there is one: a scenario that was skipped proved nothing.
type Policy struct {
	// Scenarios must each have at least one run. Empty: whatever is there.
	Scenarios []string
	// Allow lists verdicts besides PASS that are green, by scenario; "*" is for all.
	Allow map[string][]reports.Verdict
	// AllowSkips makes a scenario green that the host could not run.
	AllowSkips bool
	// MaxAge is how long ago a run may have begun. 0: a day.
	MaxAge time.Duration
	// Regression compares against the baseline; Off switches that off.
	Regression Regression

	path  string
	named []named // in Allow, where they stand
}

// named is a name at its place in the file.
type named struct {
	name         string
	line, column int
}

// Regression is when a change against the baseline is red: slot recovery must have grown by Ratio, more than chance
// explains but with probability P, from at least Runs runs on each side. With Detect, runs are red too that could not
// have shown a slowdown of that ratio. Zero fields take the defaults 1.5, 0.005 and 6, and ask for no detection.
type Regression struct {
	Off    bool
	Ratio  float64
	P      float64
	Runs   int
	Detect float64
}

func (r Regression) withDefaults() Regression {
	if r.Ratio == 0 {
		r.Ratio = 1.5
	}
	if r.P == 0 {
		r.P = 0.005
	}
	if r.Runs == 0 {
		r.Runs = 6
	}
	return r
}

// ReadPolicy reads a policy file. The error has a line for each mistake: FILE:LINE:COLUMN: what is wrong and what would
// be right.
func ReadPolicy(path string) (Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Policy{}, err
	}
	r := policyReader{path: path}
	p := r.read(text)
	return p, errors.Join(r.mistakes...)
}

// allows tells whether a verdict is green for a scenario.
func (p Policy) allows(scenario string, v reports.Verdict) bool {
	return v == reports.Pass || slices.Contains(p.Allow[scenario], v) || slices.Contains(p.Allow["*"], v)
}

// Misnamed is a line for each scenario that Allow names and that is neither known, nor among the runs, nor asked for:
// whoever misspelt it believes that something is allowed which is not, or was renamed and allows what nobody looks at
// any more.
func (p Policy) Misnamed(known []string) error {
	known = slices.Concat(known, p.Scenarios)
	var all []error
	for _, n := range p.named {
		if n.name != "*" && !slices.Contains(known, n.name) {
			all = append(all, fmt.Errorf("%s:%d:%d: there is no scenario %q: %s", p.path, n.line, n.column, n.name,
				nearest.Meant(n.name, known)))
		}
	}
	return errors.Join(all...)
}
