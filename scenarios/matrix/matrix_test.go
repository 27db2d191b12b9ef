package matrix_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios/matrix"
)

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

// Our pool passes, and CPython's executor is broken by the death of one idle worker.
func TestTheMatrixTellsPoolsApart(t *testing.T) {
	takes.Long(t)
	g := NewWithT(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := t.TempDir()
	told := 0
	m, err := matrix.Run(ctx, matrix.Options{
		Targets: []string{"respawn", "executor"}, Scenarios: []string{"tutorial"}, Out: out, Command: "respawn matrix",
		Progress: func(string, string, *reports.Report) { told++ },
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Targets).To(HaveLen(2))

	ours := &m.Targets[0].Cells[0]
	g.Expect(ours.Verdict()).To(Equal(check.Pass), ours.Cause())
	g.Expect([]string{ours.Size(), ours.Pids(), ours.Answers(), ours.Tasks(), ours.Usable()}).To(
		Equal([]string{"4 of 4", "1 of 1", "4 of 4", "–", "yes"}))

	if missing := m.Targets[1].Missing; missing != "" {
		t.Skip(missing)
	}
	g.Expect(told).To(Equal(4), "the beginning and the end of two runs")
	theirs := &m.Targets[1].Cells[0]
	g.Expect(theirs.Verdict()).To(Equal(check.Fail))
	g.Expect([]string{theirs.Size(), theirs.Answers(), theirs.Usable()}).To(Equal([]string{"0 of 4", "0 of 4", "no"}))
	g.Expect(m.Targets[1].Version).To(HavePrefix("3."))

	for _, file := range []string{
		"matrix.html", "matrix.md", "executor/tutorial/report.html", "executor/tutorial/history.jsonl",
	} {
		g.Expect(filepath.Join(out, file)).To(BeARegularFile())
	}
	data, err := os.ReadFile(filepath.Join(out, "matrix.json"))
	g.Expect(err).NotTo(HaveOccurred())
	var read struct {
		Targets []struct {
			Cells []struct {
				Runs []struct{ Figures map[string]any }
			}
		}
	}
	g.Expect(json.Unmarshal(data, &read)).To(Succeed())
	g.Expect(read.Targets[1].Cells[0].Runs[0].Figures).To(HaveKeyWithValue("slot.recovery.max", "+Inf"))
}

func TestARepeatedCellTakesOneSeedAfterAnother(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	out := t.TempDir()
	m, err := matrix.Run(t.Context(),
		matrix.Options{Targets: []string{"respawn"}, Scenarios: []string{"tutorial"}, Out: out, Repeat: 2, Seed: 5})
	g.Expect(err).NotTo(HaveOccurred())
	ours := &m.Targets[0].Cells[0]
	g.Expect(ours.Verdict()).To(Equal(check.Pass), ours.Cause())
	g.Expect(ours.Runs).To(HaveLen(2))
	g.Expect(ours.Runs[1].Seed).To(BeEquivalentTo(6))
	g.Expect(ours.Runs[1].Dir).To(Equal("respawn/tutorial.2"))
	g.Expect(filepath.Join(out, ours.Runs[1].Dir, "history.jsonl")).To(BeARegularFile())
}

func TestAnUnknownTargetIsNamed(t *testing.T) {
	g := NewWithT(t)
	_, err := matrix.Run(t.Context(), matrix.Options{Targets: []string{"sidekiq"}, Out: t.TempDir()})
	g.Expect(err).
		To(MatchError(HavePrefix(`there is no target "sidekiq": known are respawn, multiprocessing, executor`)))
	_, err = matrix.Run(t.Context(), matrix.Options{Targets: []string{"guncorn"}, Out: t.TempDir()})
	g.Expect(err).To(MatchError(`there is no target "guncorn": did you mean "gunicorn"?`))
	_, err = matrix.Run(t.Context(), matrix.Options{
		Targets: []string{"respawn"}, Scenarios: []string{"kill-busy", "tutorials"}, Out: t.TempDir(),
		Progress: func(string, string, *reports.Report) { t.Error("something was run before every name was known") },
	})
	g.Expect(err).To(MatchError(HaveSuffix(`did you mean "tutorial"?`)))
}

// A scenario that a target cannot be put through is a cell that says why, and one that stands in a file is run.
func TestAScenarioThatATargetCannotRunIsACell(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	out, file := t.TempDir(), filepath.Join(t.TempDir(), "mine too.yaml")
	g.Expect(os.WriteFile(file, []byte("name: my-own\ntarget: {pool: {size: 4}}\nload: {task: hash, count: 8}\n"+
		"expect: [tasks.ok == 8]\n"), 0o600)).To(Succeed())
	m, err := matrix.Run(t.Context(),
		matrix.Options{Targets: []string{"respawn", "multiprocessing"}, Scenarios: []string{file}, Out: out})
	g.Expect(err).NotTo(HaveOccurred())
	ours, theirs := &m.Targets[0].Cells[0], &m.Targets[1].Cells[0]
	g.Expect(ours.Scenario).To(Equal("my-own"))
	g.Expect(ours.Verdict()).To(Equal(check.Pass), ours.Cause())
	r, err := reports.Load(filepath.Join(out, ours.Runs[0].Dir, "report.json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Command).To(Equal("respawn matrix --targets respawn --scenario '" + file + "' --seed 1"))
	g.Expect(theirs.Refused).To(Equal("a driver target cannot run the task hash: it knows sleep and square"))
	g.Expect(theirs.Runs).To(BeEmpty())
	var text strings.Builder
	g.Expect(m.Text(&text, 1000)).To(Succeed())
	g.Expect(text.String()).To(ContainSubstring("not run: a driver target cannot run the task hash"))
}

// A driver of the caller's own is a row like the others; what it cannot tell is a cell that says so.
func TestADriverOfOnesOwnIsARow(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	script := filepath.Join(t.TempDir(), "own.sh")
	g.Expect(os.WriteFile(script, []byte(`
read h; echo '{"op":"hello","protocol":1,"name":"sh","version":"7","can":["pid"]}'
read s; mkfifo "$0.q"; exec 3<>"$0.q"; pids=
for i in 1 2 3 4; do sh -c 'while read id n <&3; do echo "{\"op\":\"result\",\"id\":$id,\"value\":$((n * n)),\"pid\":$$}"; done' & pids="$pids,$!"; done
echo "{\"op\":\"ready\",\"pids\":[${pids#,}]}"
while read -r line; do
	id=${line#*\"id\":}; id=${id%%,*}; n=${line##*\"n\":}; n=${n%%\}*}
	case $line in
	*stop*) kill -9 $(echo $pids | tr , ' '); echo '{"op":"stopped"}'; exit 0 ;;
	*) echo "$id $n" >&3 ;;
	esac
done
`), 0o600)).To(Succeed())
	m, err := matrix.Run(t.Context(),
		matrix.Options{Targets: []string{"mine=sh " + script}, Scenarios: []string{"tutorial"}, Out: t.TempDir()})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Targets).To(HaveLen(1))
	g.Expect(m.Targets[0].Name).To(Equal("mine"))
	g.Expect(m.Targets[0].Cells[0].Refused).
		To(HavePrefix("it picks idle workers, which the driver of sh does not tell"))
	for _, bad := range []string{"Mine=sh x", "mine=", "respawn=sh x", "../x=sh"} {
		_, err = matrix.Run(t.Context(), matrix.Options{Targets: []string{bad}, Out: t.TempDir()})
		g.Expect(err).To(MatchError(ContainSubstring("want NAME=COMMAND")), bad)
	}
}

// A pool that is not installed is a row that says how to get it, and the other rows are measured all the same.
func TestAMissingPoolIsARow(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	t.Setenv("PATH", t.TempDir()) // no node
	m, err := matrix.Run(t.Context(),
		matrix.Options{Targets: []string{"workerpool"}, Scenarios: []string{"tutorial"}, Out: t.TempDir()})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Targets[0].Missing).To(Equal("node is not installed: apt-get install nodejs npm"))
	g.Expect(m.Targets[0].Cells).To(BeEmpty())
}

// Every scenario of every family is valid for every target of it, and what a target of another family is called is
// said.
func TestEveryTargetCanBePutThroughTheScenariosOfItsFamily(t *testing.T) {
	g := NewWithT(t)
	for _, name := range matrix.Families() {
		g.Expect(matrix.Targets(name)).NotTo(BeEmpty())
		g.Expect(matrix.Scenarios(name)).NotTo(BeEmpty())
		g.Expect(matrix.Check(name)).To(Succeed())
	}
	_, err := matrix.Run(t.Context(), matrix.Options{Targets: []string{"runit"}, Out: t.TempDir()})
	g.Expect(err).To(MatchError(`there is no target "runit" in the family pools: want --family supervisors`))
	_, err = matrix.Run(t.Context(), matrix.Options{Family: "supervisor", Out: t.TempDir()})
	g.Expect(err).To(MatchError(`there is no family "supervisor": did you mean "supervisors"?`))
}

// A supervisor that runs here brings back what is killed, and its row says so in a word.
func TestASupervisorIsARow(t *testing.T) {
	takes.Long(t)
	g := NewWithT(t)
	out, targets := t.TempDir(), []string{"respawn", "runit"}
	m, err := matrix.Run(t.Context(), matrix.Options{
		Family: "supervisors", Targets: targets, Scenarios: []string{"one-kill", "supervisor-killed"}, Out: out,
		Command: "respawn matrix",
	})
	g.Expect(err).NotTo(HaveOccurred())
	ours := m.Targets[0]
	g.Expect(ours.Cells[0].Told).To(MatchRegexp(`^[0-9.]+m?s$`), ours.Cells[0].Cause())
	g.Expect(ours.Cells[1].Told).To(Equal("nobody"), ours.Cells[1].Cause())
	page, err := os.ReadFile(filepath.Join(out, "matrix.html"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(page)).To(And(ContainSubstring("supervisor killed: who lives on?"),
		ContainSubstring(`href="./respawn/one-kill/report.html"`)))
	if m.Targets[1].Missing != "" {
		t.Skip(m.Targets[1].Missing)
	}
	g.Expect(m.Targets[1].Version).To(HavePrefix("2."))
	g.Expect(m.Targets[1].Cells[0].Told).To(MatchRegexp(`^[0-9.]+m?s$`))
	g.Expect(m.Targets[1].Cells[1].Told).To(HavePrefix("4 processes"), "two runsv and their programs")
}
