package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// runCommand kills two of the two sleepers that a shell has started; what the shell does about it is its own affair.
func runCommand(t *testing.T, shell string) *reports.Report {
	t.Helper()
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "sleepers.yaml")
	g.Expect(os.WriteFile(file, []byte(`
name: sleepers
target:
  command:
    argv: [bash, -c, "start() { sleep 3600 & }; start; start; trap 'kill $(jobs -p); exit 0' TERM; `+shell+`"]
    size: 2
chaos:
  - fault: {signal: KILL}
    pick: {each: true}
    when: {every: 200ms, times: 2}
settle: 3s
`), 0o600)).To(Succeed())
	r, _, err := runApart(t, file)
	g.Expect(err).NotTo(HaveOccurred())
	return r
}

// No task is run, so that nothing is known of answers, and the verdict says so.
func TestASupervisorOfAnyProgramIsJudgedByItsProcesses(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	r := runCommand(t, "while :; do wait -n; start; done")
	g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
	g.Expect(r.Cause).To(MatchRegexp(
		"^2 faults confirmed, a process in every slot again within .*, that anybody answers was not tested$"))
	r = runCommand(t, "while :; do wait; sleep 0.1; done")
	g.Expect(r.Verdict).To(Equal(check.Fail), r.Cause)
	r = runCommand(t, "wait -n; echo I have had enough >&2; exit 7")
	g.Expect(r.Verdict).To(Equal(check.Fail))
	g.Expect(r.Cause).To(MatchRegexp("^bash is gone: it exited with code 7: .*I have had enough$"))
}

func TestMistakesInCommandsAndCallsAreNamed(t *testing.T) {
	const good = `
name: x
target: {command: {argv: [server], size: 2}}
load: {http: {url: "http://127.0.0.1:8080/"}}
chaos: [{fault: {signal: KILL}}]
`
	_, err := scenarios.Parse("x.yaml", []byte(good), scenarios.Options{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, c := range map[string]struct{ from, to, want string }{
		"no argv": {
			"argv: [server], ", "",
			"x.yaml:3:19: argv is missing: want the program and its arguments",
		},
		"no size": {", size: 2", "", "x.yaml:3:19: size is missing: want how many members the program is to have"},
		"two places": {
			"size: 2", "size: 2, members: {children: true, depth: 2}",
			"x.yaml:3:54: children, tree and depth contradict each other: want one",
		},
		"no pattern": {
			"size: 2", "size: 2, members: {match: {argv: '('}}",
			"argv \"(\" is no pattern: want a regular expression such as 'worker [0-9]+'",
		},
		"unknown signal": {
			"size: 2", "size: 2, stop: {signal: TREM}",
			`unknown signal "TREM": want a name such as TERM`,
		},
		"a task": {
			`http: {url: "http://127.0.0.1:8080/"}`, "task: square",
			"x.yaml:4:14: a command target cannot run the task square: it knows none of the built-in tasks",
		},
		"nothing": {
			`http: {url: "http://127.0.0.1:8080/"}`, "concurrency: 2",
			"x.yaml:4:7: a command target runs no tasks: want http, tcp or exec, or no load",
		},
		"two calls": {
			"load: {", "load: {tcp: {address: 'localhost:1'}, ",
			"x.yaml:4:7: http, tcp and exec contradict each other: want one",
		},
		"no address": {
			"http://127.0.0.1:8080/", "localhost:8080",
			`x.yaml:4:20: "localhost:8080" is no address of a web page: want one such as http://127.0.0.1:8080/`,
		},
		"far away": {
			"http://127.0.0.1:8080/", "http://example.com/",
			"x.yaml:4:14: the load goes to another machine: want a rate of at most 50/s",
		},
		"two answerers": {`/"}`, `/", answered_by: {}}`, "x.yaml:4:59: want one of header and json"},
		"no status":     {`/"}`, `/", expect: {status: 99}}`, "99 is no status: want 100 to 599"},
		"who answers": {
			"chaos:", "expect: [slots.silent == 0]\nchaos:",
			"x.yaml:5:10: nobody tells which process answers, so that slots.silent has no data: say where answers " +
				"name it, with load: {http: {answered_by: {header: X-Pid}}}, or leave it out",
		},
		"at the same time": {
			"chaos:", "expect: [slots.apart == 0]\nchaos:",
			"x.yaml:5:10: slots.apart needs tasks of the harness's, which a command target does not run: leave it out",
		},
		"another fault": {"{signal: KILL}", "{panic: x}", "x.yaml:5:"},
		"of the pool": {
			"command: {argv: [server], size: 2}", "pool: {size: 2}",
			"x.yaml:4:14: a pool target runs tasks of the harness's: want task",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scenarios.Parse("x.yaml", []byte(strings.Replace(good, c.from, c.to, 1)), scenarios.Options{})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
	_, err = scenarios.Parse("x.yaml", []byte(strings.Replace(good, `load: {http: {url: "http://127.0.0.1:8080/"}}`,
		"expect: [tasks.failed <= 0]", 1)), scenarios.Options{})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("tasks.failed has no data without a load")))
	text, err := os.ReadFile("../docs/attach.md")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	examples := strings.Split(string(text), "```yaml\n")[1:]
	NewWithT(t).Expect(len(examples)).To(BeNumerically(">=", 5))
	for _, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		_, err := scenarios.Parse("docs/attach.md", []byte(example), scenarios.Options{})
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), example)
	}
	_, err = scenarios.Parse("x.yaml", []byte(good), scenarios.Options{NoExec: true})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("--no-exec forbids that")))
}
