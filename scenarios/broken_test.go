package scenarios_test

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
)

// guards says on what pool each scenario of the library must fail, and in which words it says what broke.
var guards = map[string]struct{ target, cause string }{
	"tutorial":                   {"target.driver.command=[BROKENPOOL, no-respawn]", "does not answer"},
	"kill-each-idle":             {"target.driver.command=[BROKENPOOL, dead-after-kill]", "answer"},
	"kill-busy":                  {"target.driver.command=[BROKENPOOL, loses-in-flight]", "no outcome"},
	"kill-all":                   {"target.driver.command=[BROKENPOOL, loses-in-flight]", "no outcome"},
	"rolling-kill":               {"target.driver.command=[BROKENPOOL, kills-sibling]", "nobody"},
	"random-kill":                {"target.driver.command=[BROKENPOOL, wrong-value]", "wrong"},
	"kill-storm":                 {"target.driver.command=[BROKENPOOL, loses-in-flight]", "no outcome"},
	"poisson-kill":               {"target.driver.command=[BROKENPOOL, reruns-done]", "run twice|more often"},
	"kill-during-map":            {"target.pool.bugs=[wrong-values]", "wrong"},
	"kill-mid-write":             {"target.pool.bugs=[wrong-values]", "wrong"},
	"kill-after-write":           {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"kill-before-read":           {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"term-graceful":              {"target.pool.bugs=[loses-tasks]", "no outcome"},
	"term-ignored":               {"target.pool.bugs=[loses-tasks]", "no outcome"},
	"pause":                      {"target.pool.bugs=[answers-late]", "answer"},
	"pause-short":                {"target.pool.bugs=[impatient]", "nobody|exits.total"},
	"freeze":                     {"target.pool.bugs=[impatient]", "nobody|exits.total"},
	"oom-kill":                   {"target.pool.bugs=[kills-others]", "nobody"},
	"oom-fallback":               {"target.pool.bugs=[loses-tasks]", "no outcome"},
	"memory-pressure":            {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"leak-recycle":               {"target.pool.bugs=[leaves-zombie]", "zombie"},
	"max-tasks":                  {"target.pool.bugs=[loses-tasks]", "no outcome"},
	"poison":                     {"target.pool.bugs=[wrong-values]", "wrong"},
	"crash-loop":                 {"target.pool.bugs=[loses-tasks]", "no outcome"},
	"slow-boot":                  {"target.pool.bugs=[kills-others]", "nobody"},
	"kill-the-replacement":       {"target.pool.bugs=[answers-late]", "answer"},
	"mixed":                      {"target.pool.bugs=[leaves-zombie]", "zombie"},
	"fds":                        {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"pids":                       {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"cpu-throttle":               {"target.pool.bugs=[runs-twice]", "run twice|more often"},
	"resize-under-kill":          {"target.pool.bugs=[wrong-values]", "wrong"},
	"close-under-kill":           {"target.pool.bugs=[leaves-orphan]", "no member"},
	"rolling-restart-under-load": {"target.pool.bugs=[kills-others]", "nobody"},
	"supervisor-kill":            {"target={driver: {command: [sh, LEAVER], size: 4}}", "no member"},
	"node-kill":                  {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"node-storm":                 {"target.fleet.bugs=[runs-twice]", "run twice|more often"},
	"node-pause":                 {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"node-cut":                   {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"node-drain-under-load":      {"target.fleet.bugs=[runs-twice]", "run twice|more often|tasks.executions.max"},
	"rolling-node-restart":       {"target.fleet.bugs=[kills-others]", "nobody"},
	"leader-kill":                {"target.fleet.bugs=[no-respawn]", "not answer|without a process"},
	"leader-stepdown-storm":      {"target.fleet.bugs=[runs-twice]", "run twice|more often|tasks.executions.max"},
	"all-brokers-amnesia":        {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"broker-amnesia-older":       {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"broker-pause":               {"target.fleet.bugs=[kills-others]", "nobody"},
	"broker-cut":                 {"target.fleet.bugs=[kills-others]", "nobody"},
	"broker-disk-full":           {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"broker-slow":                {"target.fleet.bugs=[runs-twice]", "run twice|more often|tasks.executions.max"},
	"redeliver-storm":            {"target.fleet.bugs=[runs-twice]", "run twice|more often|tasks.executions.max"},
	"big-payloads-under-kill":    {"target.fleet.bugs=[wrong-values]", "wrong"},
	"poison-across-nodes":        {"target.fleet.bugs=[blames-bystanders]", "failed"},
	"oom-node":                   {"target.fleet.bugs=[blames-bystanders]", "failed"},
	"owner-kill":                 {"target.fleet.bugs=[runs-twice]", "run twice|more often|tasks.executions.max"},
	"slow-owner":                 {"target.fleet.bugs=[kills-others]", "nobody"},
	"soak-fleet":                 {"target.fleet.bugs=[loses-tasks]", "no outcome"},
	"unknown-task-rolling":       {"target.fleet.bugs=[impatient]", "failed"},
	"cancel-a-million":           {"target.fleet.bugs=[leaves-tasks]", "left when all had settled"},
	"thousand":                   {"target.pool.bugs=[answers-late]", "answer"},
	"soak":                       {"target.pool.bugs=[kills-others]", "nobody"},
}

// A scenario that nothing can fail proves nothing. The bugs' own table is
// caught; this one has every scenario.
func TestEveryScenarioFailsOnAPoolWithTheBugThatItGuardsAgainst(t *testing.T) {
	takes.Long(t)
	for _, name := range scenarios.Library() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			guard, ok := guards[name]
			g.Expect(ok).To(BeTrue(), "nothing shows that %s can fail", name)
			leaver, err := filepath.Abs("testdata/leaver.sh")
			g.Expect(err).NotTo(HaveOccurred())
			program, err := brokenPool()
			g.Expect(err).NotTo(HaveOccurred())
			target := strings.NewReplacer("LEAVER", leaver, "BROKENPOOL", program).Replace(guard.target)
			settings := []string{target}
			if !strings.Contains(target, "fleet.bugs") { // brokers take longer to choose another leader
				settings = append(settings, "settle=2500ms")
			}
			r, dir, err := runApart(t, name, settings...)
			g.Expect(err).NotTo(HaveOccurred())
			if r.Skipped != "" {
				t.Skip(r.Cause)
			}
			g.Expect(string(r.Verdict)).To(Equal("FAIL"), describe(r, dir))
			g.Expect(r.Cause).To(MatchRegexp(guard.cause))
		})
	}
}
