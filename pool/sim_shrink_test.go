package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/ddmin"
)

// simPart is one thing that a plan has and can do without: a task, an order of the pool's owner, a strike from outside, or the
// faults of one site.
type simPart struct {
	name string
	drop func(*simPlan)
}

// parts lists what can be left out of a plan.
func (p *simPlan) parts() (list []simPart) {
	part := func(drop func(*simPlan), format string, args ...any) {
		list = append(list, simPart{fmt.Sprintf(format, args...), drop})
	}
	for _, lane := range p.lanes {
		for _, step := range lane {
			for _, t := range step.tasks {
				part(func(p *simPlan) { p.dropTask(t.n) }, "task %d", t.n)
			}
		}
	}
	for _, o := range p.admin {
		part(func(p *simPlan) {
			p.admin = slices.DeleteFunc(p.admin, func(other simOrder) bool { return other == o })
		}, "order %d at %v", o.what, o.at)
	}
	for _, at := range p.strikes {
		part(func(p *simPlan) {
			p.strikes = slices.DeleteFunc(p.strikes, func(other time.Duration) bool { return other == at })
		}, "a strike at %v", at)
	}
	for site, rate := range p.weather.rate {
		if rate > 0 {
			part(func(p *simPlan) { p.weather.rate[site] = 0 }, "faults at site %d", site)
		}
	}
	if p.broken[1] > 0 {
		part(func(p *simPlan) { p.broken[0], p.broken[1] = 0, 0 }, "a broken initializer")
	}
	return list
}

// dropTask has nobody submit a task.
func (p *simPlan) dropTask(n int) {
	for l := range p.lanes {
		for s := range p.lanes[l] {
			step := &p.lanes[l][s]
			step.tasks = slices.DeleteFunc(step.tasks, func(t *simTask) bool { return t.n == n })
			step.after = min(step.after, len(step.tasks))
		}
		p.lanes[l] = slices.DeleteFunc(p.lanes[l], func(s simStep) bool { return len(s.tasks) == 0 })
	}
}

// shrinkSimulation leaves out of a seed's plan what can be left out so that the promise is broken still, and names what remains.
// A seed does not tell the same story every time, so that a part is run up to three times.
func shrinkSimulation(t *testing.T, seed uint64, m mutant, promise string) (left []string) {
	all := newSimPlan(seed).parts()
	part, err := ddmin.Min(all, func(part []simPart) (bool, error) {
		keeps := map[string]bool{}
		for _, p := range part {
			keeps[p.name] = true
		}
		yes, _, err := ddmin.Vote{Runs: 3, Need: 1}.Ask(func() (bool, error) {
			s := simulatePlan(t, seed, m, func(plan *simPlan) {
				for _, p := range all {
					if !keeps[p.name] {
						p.drop(plan)
					}
				}
			})
			return slices.ContainsFunc(s.violations, func(v string) bool { return promiseOf(v) == promise }), nil
		})
		return yes > 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range part {
		left = append(left, p.name)
	}
	return left
}

// promiseOf is the promise that a violation is of.
func promiseOf(violation string) string {
	promise, _, _ := strings.Cut(violation, ": ")
	return promise
}

// A mutant's failing plan comes down to a handful of its parts, and those break the same promise.
func TestAFailingPlanShrinks(t *testing.T) {
	for _, m := range []mutant{mutantNone + 1, mutantNone + 2} {
		t.Run(m.String(), func(t *testing.T) {
			g := NewWithT(t)
			for seed := uint64(1); seed <= 2000; seed++ {
				s := simulate(t, seed, m)
				if len(s.violations) == 0 {
					continue
				}
				all := s.plan.parts()
				left := shrinkSimulation(t, seed, m, promiseOf(s.violations[0]))
				t.Logf("seed %d: %d of %d parts break %q: %s", seed, len(left), len(all), promiseOf(s.violations[0]), strings.Join(left, ", "))
				g.Expect(len(left)).To(BeNumerically("<=", len(all)/2))
				return
			}
			t.Error("no seed breaks a promise with this mutant")
		})
	}
}
