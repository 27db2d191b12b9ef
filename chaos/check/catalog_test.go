package check_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
)

// catalog is what each canonical scenario passes by, beside the promises: the metrics that say it.
var catalog = map[string]string{
	"tutorial":                   "pool.ready pids.turnover",
	"kill-each-idle":             "slot.recovery.max slot.recovery.count",
	"kill-busy":                  "tasks.executions.max tasks.retried",
	"kill-all":                   "pids.turnover pool.recovery.max tasks.ok",
	"rolling-kill":               "pool.ready.min pool.below.max pids.turnover",
	"random-kill":                "slot.recovery.max faults.confirmed tasks.throughput",
	"kill-storm":                 "tasks.ok tasks.wall",
	"poisson-kill":               "slot.recovery.max faults.confirmed",
	"kill-during-map":            "tasks.ok tasks.wrong",
	"kill-mid-write":             "tasks.executions.max tasks.retried",
	"kill-after-write":           "tasks.executions.max tasks.retried",
	"kill-before-read":           "tasks.executions.max blame.bystanders",
	"term-graceful":              "exits.clean tasks.retried faults.effect.max",
	"term-ignored":               "exits.killed exits.ours faults.effect.min faults.effect.max",
	"pause":                      "exits.stalled faults.detection.max tasks.retried slot.recovery.max",
	"pause-short":                "exits.total pids.turnover tasks.retried",
	"freeze":                     "exits.total tasks.executions.max tasks.latency.max",
	"oom-kill":                   "exits.oom faults.confirmed",
	"oom-fallback":               "exits.oom exits.recycled faults.confirmed",
	"memory-pressure":            "exits.total tasks.throughput.during memory.members.max",
	"leak-recycle":               "exits.recycled exits.collateral memory.member.max",
	"max-tasks":                  "exits.recycled pids.turnover exits.replaced",
	"poison":                     "exits.crashed tasks.lost blame.bystanders",
	"crash-loop":                 "starts.count starts.failed breaker.opened breaker.closed",
	"slow-boot":                  "starts.max_concurrent",
	"kill-the-replacement":       "slot.recovery.max starts.count",
	"mixed":                      "slot.recovery.max exits.oom exits.crashed exits.killed",
	"fds":                        "tasks.failed exits.total",
	"pids":                       "exits.total tasks.failed pool.ready",
	"cpu-throttle":               "tasks.throughput.kept exits.stalled tasks.latency.during.p95",
	"resize-under-kill":          "pool.ready pool.want pool.size",
	"close-under-kill":           "faults.effect.max tasks.hung processes.orphaned",
	"rolling-restart-under-load": "tasks.failed pids.turnover exits.collateral",
	"supervisor-kill":            "processes.orphaned processes.orphaned.time",
	"thousand":                   "slot.recovery.max fds.growth goroutines.growth",
	"soak":                       "memory.growth memory.members.growth memory.parent.max tasks.latency.after.p99",
}

func TestCatalogCanBeWrittenInMetrics(t *testing.T) {
	g := NewWithT(t)
	g.Expect(catalog).To(HaveLen(36))
	for scenario, metrics := range catalog {
		for _, name := range strings.Fields(metrics) {
			_, ok := check.Lookup(name)
			g.Expect(ok).To(BeTrue(), "%s needs %s", scenario, name)
		}
	}
}
