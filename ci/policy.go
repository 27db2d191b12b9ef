package ci

import (
	"errors"
	"os"
	"slices"

	"github.com/respawn-go/respawn/reports"
)

// Policy says what the gate asks for. The zero value asks that every run there is passed, and
// that there is one: a scenario that was skipped proved nothing.
type Policy struct {
	// Scenarios must each have at least one run. Empty: whatever is there.
	Scenarios []string `yaml:"scenarios"`
	// Allow lists verdicts besides PASS that are green, by scenario; "*" is for all.
	Allow map[string][]reports.Verdict `yaml:"allow"`
	// AllowSkips makes a scenario green that the host could not run.
	AllowSkips bool `yaml:"allow_skips"`
	// Regression compares against the baseline; Off switches that off.
	Regression Regression `yaml:"regression"`
}

// Regression is when a change against the baseline is red: the median of slot recovery over the run's own spawn floor must
// have grown by Ratio, with a probability P of chance, and at least Runs runs on each side. Zero fields take the defaults
// 1.5, 0.005 and 6.
type Regression struct {
	Off   bool    `yaml:"off"`
	Ratio float64 `yaml:"ratio"`
	P     float64 `yaml:"p"`
	Runs  int     `yaml:"runs"`
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

// ReadPolicy reads a policy file. The error has a line for each mistake: FILE:LINE:COLUMN: what is wrong and what would be right.
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
