package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
)

const good = `# a comment that stays
name: random-kill
description: A random worker is SIGKILLed.
seed: 42
target:
  pool: {size: 8}
load:
  task: sleep
  args: {duration: 5ms}
  concurrency: 32
  warmup: 500ms
steady:
  - pool.ready == 8
chaos:
  - fault: {signal: KILL}
    pick: {random: 1}
    when: {every: 200ms, jitter: 20%, for: 10s}
    require: {confirmed: 40}
expect:
  - tasks.lost == 0
short:
  chaos.0.when.for: 2s
  chaos.0.require.confirmed: 8
`

func TestScenarioIsReadWithItsUnits(t *testing.T) {
	g := NewWithT(t)
	s, err := scenarios.Parse("x.yaml", []byte(good), scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Chaos[0].When.For.String()).To(Equal("10s"))
	g.Expect(s.Chaos[0].Fault.Fault).To(Equal(faults.Signal{Name: "KILL"}))
	g.Expect(float64(s.Chaos[0].When.Jitter)).To(Equal(0.2))

	s, err = scenarios.Parse("x.yaml", []byte(good),
		scenarios.Options{Short: true, Set: []string{"load.concurrency=4", "seed=7"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Chaos[0].When.For.String()).To(Equal("2s"))
	g.Expect(int(s.Chaos[0].Require.Confirmed)).To(Equal(8))
	g.Expect(int(s.Load.Concurrency)).To(Equal(4))
	g.Expect(s.Seed).To(Equal(uint64(7)))
}

func TestEveryMistakeIsReportedWithItsPosition(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"task of others": {
			"pool: {size: 8}\nload:\n  task: sleep\n  args: {duration: 5ms}",
			"driver: {command: [d], size: 8}\nload:\n  task: hash\n  args: {rounds: 5}",
			[]string{`x.yaml:8:9: a driver target cannot run the task hash: it knows sleep and square`},
		},
		"map of others": {
			"pool: {size: 8}\nload:\n  task: sleep\n  args: {duration: 5ms}\n  concurrency: 32\n  warmup: 500ms",
			"server: {kind: gunicorn, size: 8}\nload:\n  task: square\n  map: 10",
			[]string{`x.yaml:9:8: a server target has no ordered map: use concurrency`},
		},
		"unknown key": {"seed: 42", "sed: 42", []string{`x.yaml:4:1: unknown key "sed": did you mean "seed"?`}},
		"no unit":     {"duration: 5ms", "duration: 5", []string{`x.yaml:9:20: 5 needs a unit: 5ms or 5s?`}},
		"wrong unit": {
			"jitter: 20%", "jitter: 20ms",
			[]string{`x.yaml:17:34: "20ms" is not a percentage: want 0% to 100%, such as 20%`},
		},
		"no number": {
			"jitter: 20%", "jitter: NaN%",
			[]string{`x.yaml:17:34: "NaN%" is not a percentage: want 0% to 100%, such as 20%`},
		},
		"leading zero": {"size: 8", "size: 010", []string{`x.yaml:6:16: 010 has a zero in front: write 10`}},
		"bad name": {
			"name: random-kill", "name: Random",
			[]string{`x.yaml:2:7: name "Random": want lower-case letters, digits and dashes, at most 63`},
		},
		"unknown signal": {
			"signal: KILL", "signal: KLL",
			[]string{`x.yaml:15:21: unknown signal "KLL": did you mean "KILL"?`},
		},
		"two picks": {
			"random: 1", "random: 1, all: true",
			[]string{`x.yaml:16:11: all and random contradict each other: want one`},
		},
		"impossible": {
			"confirmed: 40", "confirmed: 4000",
			[]string{`x.yaml:18:26: 4000 confirmed injections cannot be reached: the schedule makes at most 63`},
		},
		"wrong argument": {
			"args: {duration: 5ms}", "args: {rounds: 5}",
			[]string{`x.yaml:9:18: task sleep takes no rounds`},
		},
		"a list for a word": {"task: sleep", "task: [sleep]", []string{`x.yaml:8:9: want one value, got a list`}},
		"unknown task": {
			"task: sleep", "task: slep",
			[]string{`x.yaml:8:9: unknown task "slep": did you mean "sleep"?`},
		},
		"short to nowhere": {
			"chaos.0.when.for: 2s", "chaos.3.when.for: 2s",
			[]string{`x.yaml:22:3: "chaos.3.when.for": there is no entry "3" in a list of 1, counted from 0`},
		},
		"short misspelt": {
			"chaos.0.when.for: 2s", "chaos.0.when.fro: 2s",
			[]string{`x.yaml:22:3: unknown key "fro": did you mean "for"?`},
		},
		"no end": {
			", for: 10s", "",
			[]string{"x.yaml:17:11: no end: say for how long (for: 10s) or how often (times: 20)"},
		},
		"twice": {"seed: 42", "seed: 42\nseed: 43", []string{`x.yaml:5:1: "seed" is here twice`}},
		"never so many": {
			"pool.ready == 8", "pool.ready == 9",
			[]string{"x.yaml:13:5: this can never hold: the target has 8 members"},
		},
		"more at work": {
			"- tasks.lost == 0", "- slots.together == 9",
			[]string{"x.yaml:20:5: this can never hold: the target has 8 members"},
		},
		"more are apart": {
			"- tasks.lost == 0", "- allow slots.apart > 8",
			[]string{"x.yaml:20:5: this can never hold: the target has 8 members"},
		},
		"one or the other": {
			"- tasks.lost == 0", "- slot.recovery.p90 <= 250ms\n  - slot.recovery.p90 >= 300ms",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on slot.recovery.p90"},
		},
		"one word of many": {
			"fault: {signal: KILL}", "fault: KILL",
			[]string{"x.yaml:15:12: want keys and values (" + faultNames() + `), got "KILL"`},
		},
		"never enough": {"- tasks.lost == 0", "- slot.recovery.p99 <= 250ms", []string{
			"x.yaml:20:5: slot.recovery.p99 needs 100 samples: the schedule makes at most 63 injections",
			"x.yaml:20:5: slot.recovery.p99 needs 100 samples: the schedule makes at most 13 injections in the " +
				"short form",
		}},
		"never in short": {"- tasks.lost == 0", "- slot.recovery.p95 <= 250ms", []string{"x.yaml:20:5: " +
			"slot.recovery.p95 needs 20 samples: the schedule makes at most 13 injections in the short form"}},
		"too few tasks": {
			"warmup: 500ms\nsteady:\n  - pool.ready == 8\n",
			"count: 9\nsteady:\n  - tasks.latency.p90 < 1s\n",
			[]string{
				"x.yaml:13:5: tasks.latency.p90 needs 10 samples: the load has 9 tasks",
				"x.yaml:13:5: tasks.latency.p90 needs 10 samples: the load has 9 tasks in the short form",
			},
		},
		"require in short": {"chaos.0.require.confirmed: 8", "chaos.0.require.confirmed: 14", []string{
			"x.yaml:23:30: 14 confirmed injections cannot be reached: the schedule makes at most 13 in the short form",
		}},
		"removed target": {"pool: {size: 8}", "naive: {size: 8}", []string{`x.yaml:6:3: unknown key "naive": the naive pool is gone; a pool with bugs to switch on is pool: {bugs: [...]}, or driver: {command: [brokenpool, SWITCH]}`}},
		"unknown bug": {
			"pool: {size: 8}", "pool: {size: 8, bugs: [leaves-zombi]}",
			[]string{`x.yaml:6:26: unknown bugs "leaves-zombi": did you mean "leaves-zombie"?`},
		},
		"nobody calls": {
			"concurrency: 32", "concurrency: 0",
			[]string{"x.yaml:10:16: concurrency: 0 is no load: want at least 1, or leave the key out"},
		},
		"no rate": {
			"concurrency: 32", "rate: 0/s",
			[]string{"x.yaml:10:9: rate: 0/s is no load: want at least 1, or leave the key out"},
		},
		"more than all": {"random: 1", "random: 9", []string{"x.yaml:16:20: random 9 of 8 members"}},
		"no rhythm": {"every: 200ms, jitter: 20%", "every: 0s", []string{
			"x.yaml:17:19: every: 0s is no rhythm: want a time between two faults, such as 200ms, or leave the key out",
		}},
		"too little time": {
			"seed: 42", "timeout: 10s",
			[]string{"x.yaml:4:10: timeout (10s) ends the run before its faults do (10.5s)"},
		},
		"no fault of many": {
			"{signal: KILL}", "{mixed: []}",
			[]string{"x.yaml:15:20: mixed: no fault: want at least one"},
		},
		"no time of many": {
			"every: 200ms, jitter: 20%, for: 10s", "sequence: []",
			[]string{"x.yaml:17:22: sequence: [] is never: want at least one time, or leave the key out"},
		},
		"too many at once": {
			"every: 200ms, jitter: 20%, for: 10s", "burst: 300000000",
			[]string{"x.yaml:17:19: 300000000 injections are planned: want at most 1000000"},
		},
		"too often": {
			"jitter: 20%, for: 10s", "times: 2000001",
			[]string{"x.yaml:17:11: the timeout (5m unless you set it) ends the run before its faults do " +
				"(111h6m40.7s): set timeout", "x.yaml:17:33: 2000001 injections are planned: want at most 1000000"},
		},
		"too many together": {
			"require: {confirmed: 40}",
			"require: {confirmed: 40}\n  - {fault: {exit: 3}, when: {burst: 999990}}",
			[]string{"x.yaml:19:30: 1000040 injections are planned with those above: want at most 1000000"},
		},
		"times of a burst": {
			"every: 200ms, jitter: 20%, for: 10s", "burst: 2, times: 9",
			[]string{"x.yaml:17:11: for and times need a rhythm: every or poisson"},
		},
		"stops for good": {
			"{signal: KILL}", "{signal: STOP}",
			[]string{"x.yaml:15:21: signal STOP would stop the victim for good: use the fault pause"},
		},
		"removed mechanism": {"{signal: KILL}", "{oom: rss}", []string{`x.yaml:15:18: unknown mechanism "rss": nothing watches a resident set any more; cgroup and rlimit are limits, and any takes the stronger one that this host has`}},
		"exit code": {
			"{signal: KILL}", "{exit: {code: 300}}",
			[]string{"x.yaml:15:26: exit code 300: want 0 to 255"},
		},
		"no such signal": {"{signal: KILL}\n    pick: {random: 1}", "{supervisor: NOSUCH}", []string{`x.yaml:15:25: unknown signal "NOSUCH": known are KILL, TERM, INT, HUP, QUIT, ABRT, SEGV, BUS, FPE, ILL, USR1, USR2`}},
		"exit code in many": {
			"{signal: KILL}", "{mixed: [{fault: {exit: 300}}]}",
			[]string{"x.yaml:15:36: exit code 300: want 0 to 255"},
		},
		"nothing confirmed": {
			"confirmed: 40", "confirmed: 0",
			[]string{"x.yaml:18:26: confirmed: 0 is no proof: want at least 1, or leave the key out"},
		},
		"no share": {
			"random: 1", "percent: 0%",
			[]string{"x.yaml:16:21: percent: 0% is nobody: want more, or leave the key out"},
		},
		"nobody": {
			"random: 1", "random: 0",
			[]string{"x.yaml:16:20: random: 0 is nobody: want at least 1, or leave the key out"},
		},
		"not all": {
			"random: 1", "all: false",
			[]string{"x.yaml:16:17: all: false is nobody: want true, or leave the key out"},
		},
		"no weight": {
			"{signal: KILL}", "{mixed: [{weight: 0, fault: {exit: 3}}]}",
			[]string{"x.yaml:15:30: weight: 0 is never: want at least 1, or leave the key out"},
		},
		"no CPU": {"{signal: KILL}", "{cpu: 0%}", []string{
			"x.yaml:15:18: quota: 0% is no CPU at all: want at least 1% (or the fault pause), or leave the key out",
		}},
		"no memory": {
			"{signal: KILL}", "{memory: {of: 0%}}",
			[]string{"x.yaml:15:26: of: 0% is no pressure: want up to 95%, or leave the key out"},
		},
		"no size": {
			"pool: {size: 8}", "driver: {command: [d], size: 0}",
			[]string{"x.yaml:6:32: size: 0 is no pool: want at least 1, or leave the key out"},
		},
		"no seed": {
			"seed: 42", "seed: 0",
			[]string{"x.yaml:4:7: seed: 0 is no seed: want at least 1, or leave the key out"},
		},
		"default timeout": {"for: 10s", "for: 10m", []string{
			"x.yaml:17:11: the timeout (5m unless you set it) ends the run before its faults do (10m0.5s): set timeout",
		}},
		"for after timeout": {
			"- tasks.lost == 0", "- tasks.lost == 0\nabort:\n  - pool.ready < 1 for 5h",
			[]string{"x.yaml:22:5: for 5h is longer than the timeout of the whole run (5m)"},
		},
		"too large": {
			"size: 8", "size: 99999999999999999999",
			[]string{"x.yaml:6:16: 99999999999999999999 is too large: want at most 9223372036854775807"},
		},
		"always so": {
			"- tasks.lost == 0", "- tasks.ok >= 0",
			[]string{"x.yaml:20:17: this always holds: tasks.ok is never below 0"},
		},
		"always, as abort": {
			"- tasks.lost == 0", "- tasks.lost == 0\nabort:\n  - pool.ready >= 0",
			[]string{"x.yaml:22:19: this always holds: pool.ready is never below 0"},
		},
		"promised, less": {
			"- tasks.lost == 0", "- tasks.lost >= 0",
			[]string{"x.yaml:20:19: this always holds: tasks.lost is never below 0"},
		},
		"promised, weaker": {"- tasks.lost == 0", "- tasks.lost <= 3", []string{
			"x.yaml:20:5: every scenario requires tasks.lost == 0, and this asks for less: write allow tasks.lost <= 3",
		}},
		"promised, others": {"- tasks.lost == 0", "- slots.silent == 4", []string{"x.yaml:20:5: every scenario " +
			"requires slots.silent == 0, and this asks for less: write allow slots.silent == 4"}},
		"promised, a while": {
			"- tasks.lost == 0", "- results.rejected == 0 for 200ms",
			[]string{"x.yaml:20:5: every scenario requires results.rejected == 0, and this asks for less: write " +
				"allow results.rejected == 0 for 200ms"},
		},
		"promised at last": {"- tasks.lost == 0", "- tasks.lost < 1 for 1s", []string{"x.yaml:20:5: every scenario " +
			"requires tasks.lost == 0, and this asks for less: write allow tasks.lost < 1 for 1s"}},
		"promised, another": {"- tasks.lost == 0", "- tasks.failed <= exits.total", []string{"x.yaml:20:5: every " +
			"scenario requires tasks.failed == 0, and this asks for less: write allow tasks.failed <= exits.total"}},
		"promised, but one": {"- tasks.lost == 0", "- tasks.failed != 1", []string{"x.yaml:20:5: every scenario " +
			"requires tasks.failed == 0, and this asks for less: write allow tasks.failed != 1"}},
		"allowed for none": {"- tasks.lost == 0", "- allow tasks.ok >= 3", []string{
			"x.yaml:20:5: allow is for what every scenario requires to be 0, and tasks.ok is not: write tasks.ok >= 3",
		}},
		"allowed nothing": {
			"- tasks.lost == 0", "- allow tasks.lost == 0",
			[]string{"x.yaml:20:5: tasks.lost == 0 allows nothing that is not required anyway: leave allow out"},
		},
		"allowed elsewhere": {
			"- pool.ready == 8", "- allow pool.ready == 8",
			[]string{"x.yaml:13:5: allow stands only under expect"},
		},
		"more than stated": {
			"- tasks.lost == 0", "- load.achieved >= 110%",
			[]string{"x.yaml:20:22: this can never hold: load.achieved is never above 100%"},
		},
		"more than there": {
			"- tasks.lost == 0", "- tasks.ok > tasks.submitted",
			[]string{"x.yaml:20:16: this can never hold: tasks.ok is never above tasks.submitted"},
		},
		"less than there": {
			"- tasks.lost == 0", "- tasks.submitted >= tasks.ok",
			[]string{"x.yaml:20:24: this always holds: tasks.ok is never above tasks.submitted"},
		},
		"quantiles, turned": {
			"- tasks.lost == 0", "- slot.recovery.p50 > slot.recovery.max",
			[]string{"x.yaml:20:25: this can never hold: slot.recovery.p50 is never above slot.recovery.max"},
		},
		"in no time": {
			"- tasks.lost == 0", "- slot.recovery.max <= 0s",
			[]string{"x.yaml:20:26: this can never hold: slot.recovery.max takes time"},
		},
		"nothing of it": {
			"- tasks.lost == 0", "- slot.recovery.max <= 0x floor.respawn",
			[]string{"x.yaml:20:26: this can never hold: slot.recovery.max takes time"},
		},
		"within any time": {
			"- tasks.lost == 0", "- slot.recovery.max <= 10m",
			[]string{"x.yaml:20:5: this always holds: the whole run takes at most its timeout (5m)"},
		},
		"after all time": {
			"- tasks.lost == 0", "- tasks.wall >= 10m",
			[]string{"x.yaml:20:5: this can never hold: the whole run takes at most its timeout (5m)"},
		},
		"side by side": {
			"- tasks.lost == 0", "- pids.turnover >= 2\n  - pids.turnover < 2",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on pids.turnover"},
		},
		"between wholes": {
			"- tasks.lost == 0", "- pids.turnover > 2\n  - pids.turnover < 3",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on pids.turnover"},
		},
		"all but that": {
			"- tasks.lost == 0", "- pids.turnover == 2\n  - pids.turnover != 2",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on pids.turnover"},
		},
		"against another": {
			"- tasks.lost == 0", "- tasks.submitted <= 5\n  - tasks.ok >= 6",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on tasks.submitted"},
		},
		"turned around": {
			"- tasks.lost == 0",
			"- pids.turnover > exits.replaced\n  - exits.replaced >= pids.turnover",
			[]string{"x.yaml:21:5: this cannot hold beside what stands above it on exits.replaced and pids.turnover"},
		},
		"said again": {
			"- tasks.lost == 0", "- pids.turnover < 1\n  - pids.turnover == 0",
			[]string{"x.yaml:21:5: this says what expect.0 says"},
		},
		"said alike": {
			"- tasks.lost == 0",
			"- slot.recovery.max <= 3x floor.respawn\n  - slot.recovery.max <= 3x floor.respawn",
			[]string{"x.yaml:21:5: this says what expect.0 says"},
		},
		"no more than all": {
			"warmup: 500ms\nsteady:\n  - pool.ready == 8\n",
			"count: 9\nsteady:\n  - pool.ready == 8\nexpect: [tasks.ok <= 9, tasks.ok == 10]\n",
			[]string{
				`x.yaml:14:10: this always holds: the load has 9 tasks`,
				`x.yaml:14:25: this can never hold: the load has 9 tasks`, `x.yaml:20:1: "expect" is here twice`,
			},
		},
		"never so many hit": {"- tasks.lost == 0", "- faults.confirmed >= 200", []string{
			"x.yaml:20:5: this can never hold: the schedule makes at most 63 injections",
			"x.yaml:20:5: this can never hold: the schedule makes at most 13 injections",
		}},
		"ends at once": {
			"- tasks.lost == 0", "- tasks.lost == 0\nabort:\n  - pool.ready > 7",
			[]string{"x.yaml:22:5: this holds whenever the target is steady: the run would end at once"},
		},
		"too short a time": {
			"- tasks.lost == 0", "- tasks.lost == 0\nabort:\n  - pool.ready < 1 for 1ms",
			[]string{"x.yaml:22:5: for 1ms says nothing: the target is looked at every 100ms"},
		},
		"too long a calm": {"- pool.ready == 8", "- pool.ready == 8 for 5s", []string{"x.yaml:13:5: this cannot " +
			"hold for 5s before the first fault: the target is looked at for 1s, load.warmup and 500ms"}},
		"does nothing": {"{signal: KILL}", "{signal: URG}", []string{
			"x.yaml:15:21: signal URG does nothing by default: use one that ends a process, or the fault pause",
		}},
		"continues": {"{signal: KILL}", "{mixed: [{fault: {signal: CONT}}]}", []string{
			"x.yaml:15:38: signal CONT does nothing by default: use one that ends a process, or the fault pause",
		}},
		"no condition": {
			"- tasks.lost == 0", "- {a: b}",
			[]string{"x.yaml:20:5: want one value, got keys and values"},
		},
		"two documents": {
			"name: random-kill", "---\nname: random-kill\n...\n---",
			[]string{"x.yaml:4:1: a second YAML document begins here: want one scenario a file"},
		},
		"two by a dash": {
			"steady:", "--- # of another\nsteady:",
			[]string{"x.yaml:12:1: a second YAML document begins here: want one scenario a file"},
		},
		"short by its end": {
			"chaos.0.when.for: 2s", "jitter: 2%",
			[]string{`x.yaml:22:3: unknown key "jitter": did you mean chaos.0.when.jitter?`},
		},
		"both forms": {"for: 2s", "for: 2", []string{"x.yaml:22:21: 2 needs a unit: 2ms or 2s?"}},
		"one in each form": {"seed: 42", "sed: 42\nshort: {chaos.0.when.fr: 2s}", []string{
			`x.yaml:4:1: unknown key "sed": did you mean "seed"?`, `x.yaml:5:9: unknown key "fr": did you mean "for"?`,
			`x.yaml:22:1: "short" is here twice`,
		}},
		"map by callers": {
			"warmup: 500ms", "map: 10",
			[]string{"x.yaml:11:8: map runs its own inputs: it goes with none of concurrency, rate and count"},
		},
		"count after load": {
			"warmup: 500ms", "warmup: 500ms\n  count: 100",
			[]string{"x.yaml:11:11: count and map begin with the chaos stage: they go without warmup"},
		},
		"map after load": {
			"concurrency: 32", "map: 10",
			[]string{"x.yaml:11:11: count and map begin with the chaos stage: they go without warmup"},
		},
		"longer than end": {"duration: 5ms", "duration: 10s", []string{"x.yaml:9:20: tasks of 10s do not end " +
			"within settle (10s) and would count as without an outcome: want a longer settle"}},
		"nobody to pick": {
			"{signal: KILL}", "{restart: {}}",
			[]string{"x.yaml:16:11: nobody is picked for restart, on the target as a whole: leave pick out"},
		},
		"none of them": {
			"{signal: KILL}", "{mixed: [{fault: {spawn: 1}}, {fault: {resize: 2}}]}",
			[]string{"x.yaml:16:11: nobody is picked for spawn and resize, on the target as a whole: leave pick out"},
		},
		"below the floor": {"{signal: KILL}\n    pick: {random: 1}\n    when: {every: 200ms, jitter: 20%, for: " +
			"10s}\n    require: {confirmed: 40}", "{mixed: [{fault: {resize: 2}}, {fault: {close: {}}}, {fault: " +
			"{resize: 3}}]}\n    when: {every: 200ms, jitter: 20%, for: 10s}\nmin_alive: 3", []string{
			"x.yaml:15:38: resize leaves fewer members alive than min_alive, 3",
			"x.yaml:15:59: close leaves fewer members alive than min_alive, 3",
		}},
		"disk of memory": {
			"pool: {size: 8}", "fleet: {nodes: 8, disk: 16MiB}",
			[]string{"x.yaml:6:27: the queue is kept in memory, and a disk holds none of it: want storage: file"},
		},
		"a small disk": {
			"pool: {size: 8}", "fleet: {nodes: 8, storage: file, disk: 1MiB}",
			[]string{"x.yaml:6:42: a disk of 1MiB: want 4MiB or more"},
		},
		"little memory": {
			"pool: {size: 8}", "fleet: {nodes: 8, memory: 1MiB}",
			[]string{"x.yaml:6:29: 1MiB for a node and its workers: want 64MiB or more"},
		},
		"no time to fill": {
			"{signal: KILL}", "{fill: 0s}",
			[]string{"x.yaml:15:19: for: 0s is no time: want a time such as 5s, or leave the key out"},
		},
		"poison by nothing": {
			"{signal: KILL}\n    pick: {random: 1}", "{poison: {by: hunger}}",
			[]string{`x.yaml:15:26: unknown by "hunger": known are exit, memory`},
		},
		"poison by both": {"{signal: KILL}\n    pick: {random: 1}", "{poison: {by: memory, code: 3}}", []string{
			"x.yaml:15:40: poison by memory with exit code 3: the kernel kills its members: leave the code out",
		}},
		"no target": {
			"target:\n  pool: {size: 8}", "",
			[]string{`x.yaml:2:1: target is missing: want for example target: {pool: {size: 4}}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(good).To(ContainSubstring(c.from))
			_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(good, c.from, c.to, 1)), scenarios.Options{})
			g.Expect(err).To(HaveOccurred())
			g.Expect(strings.Split(err.Error(), "\n")).To(Equal(c.want))
		})
	}
}

func TestTheSignalsThatAMistakeIsToldOfAreAccepted(t *testing.T) {
	g := NewWithT(t)
	_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(good, "{signal: KILL}", "{signal: NOSUCH}", 1)),
		scenarios.Options{})
	_, names, ok := strings.Cut(fmt.Sprint(err), "known are ")
	g.Expect(ok).To(BeTrue(), "%v", err)
	for name := range strings.SplitSeq(names, ", ") {
		_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(good, "{signal: KILL}", "{signal: "+name+"}", 1)),
			scenarios.Options{})
		g.Expect(err).NotTo(HaveOccurred(), name)
	}
}

func TestFiveMistakesAreFiveLines(t *testing.T) {
	g := NewWithT(t)
	text := strings.NewReplacer("seed: 42", "sed: 42", "5ms", "5", "20%", "20", "size: 8", "size: 08", "KILL}", "KLL}").
		Replace(good)
	_, err := scenarios.Parse("x.yaml", []byte(text), scenarios.Options{})
	g.Expect(strings.Split(err.Error(), "\n")).To(HaveLen(5))
}

func TestFilesThatAreNoScenarios(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	_, err := scenarios.ReadFile(dir, scenarios.Options{})
	g.Expect(err).To(MatchError(ContainSubstring("is a directory")))

	big := filepath.Join(dir, "big.yaml")
	g.Expect(os.WriteFile(big, make([]byte, 10<<20), 0o644)).To(Succeed())
	_, err = scenarios.ReadFile(big, scenarios.Options{})
	g.Expect(err).To(MatchError(ContainSubstring("is larger than")))

	for _, text := range []string{"", "\n", "# nothing yet\n"} {
		_, err = scenarios.Parse("x.yaml", []byte(text), scenarios.Options{})
		g.Expect(err).To(MatchError(HavePrefix("x.yaml: the file is empty: ")))
	}
	for name, text := range map[string]string{
		"not YAML": "name: [", "empty": "", "a list": "- a", "binary": "\x00\x01",
	} {
		_, err = scenarios.Parse(name, []byte(text), scenarios.Options{})
		g.Expect(err).To(HaveOccurred(), name)
		g.Expect(strings.Split(err.Error(), "\n")).To(HaveLen(1), name)
	}
}

// Whatever a scenario can name is explained, and what is listed can be named.
func TestListingExplainsEverything(t *testing.T) {
	g := NewWithT(t)
	l, err := scenarios.List()
	g.Expect(err).NotTo(HaveOccurred())
	for _, list := range [][]scenarios.Entry{l.Scenarios, l.Targets, l.Faults, l.Metrics, l.Floors, l.Tasks, l.Bugs} {
		for _, e := range list {
			g.Expect(strings.TrimSuffix(e.Doc, ": ")).NotTo(BeElementOf("", "target.pool"), e.Name)
		}
	}
	for _, b := range l.Bugs {
		target, _, _ := strings.Cut(strings.TrimPrefix(b.Doc, "target."), ":")
		text := fmt.Sprintf("name: x\ntarget: {%s: {size: 2, bugs: [%s]}}\nchaos: [{fault: {signal: KILL}}]\n",
			target, b.Name)
		_, err := scenarios.Parse("x.yaml", []byte(text), scenarios.Options{})
		g.Expect(err).NotTo(HaveOccurred(), b.Name)
	}
}

func TestBombIsDefused(t *testing.T) {
	g := NewWithT(t)
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("  a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	const ok = "name: x\ntarget: {pool: {size: 2}}\nchaos: [{fault: {signal: KILL}}]\n"
	for name, text := range map[string]string{
		"unknown keys":         ok + strings.ReplaceAll(bomb, "  a", "a"),
		"in the short form":    ok + "short:\n  " + bomb,
		"without an end":       ok + "labels: &x [*x]\n",
		"without one in short": ok + "short:\n  labels: &x [*x]\n",
	} {
		_, err := scenarios.Parse("bomb.yaml", []byte(text), scenarios.Options{Short: true})
		g.Expect(err).To(MatchError(ContainSubstring("values once aliases are expanded")), name)
	}
	_, err := scenarios.Parse("x.yaml", []byte(ok), scenarios.Options{Set: []string{"labels=&x [*x]"}})
	g.Expect(err).To(MatchError(ContainSubstring("has no end")))
}

// Whoever sets a key by its last word is told its path, if there is one.
func TestSettingAKeyWithoutItsPathSuggestsThePath(t *testing.T) {
	g := NewWithT(t)
	_, err := scenarios.ReadNamed("soak", scenarios.Options{Set: []string{"for=5s"}})
	g.Expect(err).To(MatchError(`--set for=5s: unknown key "for": did you mean chaos.0.when.for?`))
	_, err = scenarios.ReadNamed("soak", scenarios.Options{Set: []string{"weight=5"}})
	g.Expect(err).To(MatchError(HavePrefix(`--set weight=5: unknown key "weight": `)), "there are several")
	g.Expect(err).NotTo(MatchError(ContainSubstring("chaos.")))
}

// Whoever sets a driver's command wants that driver in place of the scenario's target, and as many workers.
func TestSettingAnotherTargetReplacesTheOldOneAndKeepsItsSize(t *testing.T) {
	const text = "name: x\ntarget: {pool: {size: 3, max_tasks: 7}}\nchaos: [{fault: {signal: KILL}}]\n"
	for set, size := range map[string]int{
		"target.driver.command=[node, x.mjs]":                       3,
		"target.driver={command: [node, x.mjs]}":                    3,
		"target={driver: {command: [node, x.mjs]}}":                 3,
		"target={driver: {command: [node, x.mjs], size: 2}}":        2,
		"target.driver.command=[node, x.mjs]\ntarget.driver.size=5": 5,
	} {
		g := NewWithT(t)
		s, err := scenarios.Parse("x.yaml", []byte(text), scenarios.Options{Set: strings.Split(set, "\n")})
		g.Expect(err).NotTo(HaveOccurred(), set)
		g.Expect(s.Target).To(Equal(scenarios.Target{
			Kind: "driver", Settings: &driver.Settings{Command: []string{"node", "x.mjs"}, Size: scenarios.Count(size)},
		}), set)
	}
	s, err := scenarios.Parse("x.yaml", []byte(text), scenarios.Options{Set: []string{"target.pool.size=4"}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(s.Target.Settings).To(HaveField("MaxTasks", BeEquivalentTo(7)))
	s, err = scenarios.Parse("x.yaml",
		[]byte("name: x\ntarget: {driver: {command: [d], size: 3}}\nchaos: [{fault: {signal: KILL}}]\n"),
		scenarios.Options{Set: []string{"target.pool.max_tasks=5"}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(s.Target.Settings).
		To(And(HaveField("MaxTasks", BeEquivalentTo(5)), HaveField("Size", BeEquivalentTo(3))))
}

func TestFormattingAgainChangesNothing(t *testing.T) {
	g := NewWithT(t)
	once, err := scenarios.Format("x.yaml", []byte(good))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(once)).To(ContainSubstring("# a comment that stays"))
	twice, err := scenarios.Format("x.yaml", once)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(twice)).To(Equal(string(once)))
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("name: x\ntarget: {pool: {}}\nchaos: [{fault: {close: {}}}]\n")
	f.Add("a: &a [*a]\nlabels: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = scenarios.Parse("fuzz.yaml", []byte(text), scenarios.Options{Short: true})
		once, err := scenarios.Format("fuzz.yaml", []byte(text))
		if err != nil {
			return
		}
		twice, err := scenarios.Format("fuzz.yaml", once)
		if err != nil || string(once) != string(twice) {
			t.Errorf("formatting again: %v\n%q\n%q", err, once, twice)
		}
	})
}

// What a target cannot have done to it is refused before anything is started, with the place in the file.
func TestFaultsThatATargetCannotHaveAreRefused(t *testing.T) {
	for target, c := range map[string]struct{ fault, want string }{
		"fleet: {nodes: 8}": {"{fill: 2s}", "a target with these settings cannot have the fault " +
			"fill: its brokers have no disks of their own: set disk, such as 16MiB"},
		"driver: {command: [d], size: 8}": {"{oom: {}}", "a driver target cannot have the fault oom: it can have " +
			"signal, pause, freeze, cpu, supervisor, stepdown, amnesia, cut, slow, fill, redeliver, cancel"},
		"server: {kind: gunicorn, size: 8}": {
			"{mixed: [{fault: {signal: KILL}}, {fault: {exit: 3}}]}",
			"a server target cannot have the fault exit: it can have signal, pause, freeze, cpu, supervisor",
		},
	} {
		g := NewWithT(t)
		text := strings.Replace(good, "{signal: KILL}\n    pick: {random: 1}", c.fault, 1)
		_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(text, "pool: {size: 8}", target, 1)),
			scenarios.Options{})
		g.Expect(err).To(MatchError(And(HavePrefix("x.yaml:15:"), HaveSuffix(c.want))))
		_, err = scenarios.Parse("x.yaml", []byte(text), scenarios.Options{})
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// faultNames are what a fault may be called.
func faultNames() string {
	var names []string
	for _, k := range faults.Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(append(names, "mixed"), ", ")
}
