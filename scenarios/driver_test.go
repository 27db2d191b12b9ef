package scenarios_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// oneWorker is a driver of a pool of one worker, a shell that squares. What it does when that is gone is put in for
// GONE, what it can for CAN, and what it does with a task for SUBMIT.
const oneWorker = `
mkfifo q; exec 3<>q
work() { sh -c 'while read id n <&3; do echo "{\"op\":\"result\",\"id\":$id,\"value\":$((n * n)),\"pid\":$$}"; done' & pid=$!; }
while read -r line; do
	id=${line#*\"id\":}; id=${id%%,*}; n=${line##*\"n\":}; n=${n%%\}*}
	case $line in
	*hello*) echo '{"op":"hello","protocol":1,"name":"one","version":"1","can":[CAN]}'; continue ;;
	*start*) work; echo "{\"op\":\"ready\",\"pids\":[$pid]}"; continue ;;
	*stop*) kill -9 $pid; echo '{"op":"stopped"}'; exit 0 ;;
	esac
	readlink /proc/$pid/exe >/dev/null || { GONE; }
	case $line in
	*submit*) SUBMIT ;;
	*workers*) echo "{\"op\":\"workers\",\"pids\":[$pid]}" ;;
	esac
done
`

// runDriver runs a scenario of one SIGKILL against the driver, which must not be refused.
func runDriver(t *testing.T, can, gone, submit, pick string) *reports.Report {
	t.Helper()
	r, err := tryDriver(t, can, gone, submit, pick)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return r
}

func tryDriver(t *testing.T, can, gone, submit, pick string) (*reports.Report, error) {
	t.Helper()
	g := NewWithT(t)
	script := strings.NewReplacer("CAN", can, "GONE", gone, "SUBMIT", submit, "\n", "\n    ").Replace(oneWorker)
	file := filepath.Join(t.TempDir(), "x.yaml") // the driver runs beside it
	text := []byte(`
name: x
target: {driver: {size: 1, command: [sh, -c, COMMAND]}}
settle: 30s
chaos:
  - fault: {signal: KILL}
    pick: ` + pick + `
`)
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
	s, err := scenarios.Parse(file, text, scenarios.Options{Set: []string{"target.driver.command.2=|\n    " + script}})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Run(ctx, scenarios.RunOptions{Dir: t.TempDir()})
}

const toWorker = `echo "$id $n" >&3`

// A driver that dies is the cause, and not the workers that die with it; nobody waits for it to recover.
func TestARunEndsWithTheDriverThatDies(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	began := time.Now()
	r := runDriver(t, `"pid","workers"`, `echo "TypeError: no worker" >&2; echo "    at line 7" >&2; exit 3`,
		toWorker, "{random: 1}")
	g.Expect(r.Verdict).To(Equal(check.Fail))
	g.Expect(r.Cause).To(Equal(`the driver of one died: exited with code 3 though nobody had asked it to stop; its last words: "TypeError: no worker"`))
	g.Expect(time.Since(began)).To(BeNumerically("<", 30*time.Second))
}

// What a scenario asks of a driver that cannot tell it is refused by name before the first fault.
func TestWhatADriverDoesNotTellIsRefusedAtTheStart(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for name, c := range map[string]struct{ can, submit, pick, want string }{
		"idle": {`"pid","workers"`, toWorker, "{state: idle}", "x.yaml:7:19: it picks idle workers, which the " +
			"driver of one does not tell (can: witness, see docs/drivers.md)"},
		"no pid": {
			`"workers"`, toWorker, "{random: 1}",
			"the driver of one cannot be a target: it does not tell which process answers (can: pid)",
		},
		"pretence": {
			`"pid","workers"`,
			`sleep 0.5; echo "{\"op\":\"result\",\"id\":$id,\"value\":$((n * n)),\"pid\":$$}"`,
			"{random: 1}", "the driver itself",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r, err := tryDriver(t, c.can, "work", c.submit, c.pick)
			g.Expect(r).To(BeNil())
			problems := scenarios.Problems(nil)
			g.Expect(errors.As(err, &problems)).To(BeTrue(), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}

// How a worker ended that the driver's process reaped is what the kernel or the receipt tells, and no exit code of
// nobody's.
func TestAnEndThatNobodySawIsNoExitCode(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	r := runDriver(t, `"pid","workers"`, "work", toWorker, "{random: 1}")
	g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
	g.Expect(r.Exits).To(ContainElement(And(
		HaveField("Fault", 1), HaveField("Code", -1), HaveField("Kind", "unknown"),
		HaveField("Signal", BeElementOf("SIGKILL", "")))))
}

// What a driver leaves running when it is stopped is ended by the harness, and counts as left all the same.
func TestChildrenThatADriverLeavesAreOrphans(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	r := runDriver(t, `"pid","workers"`, "sleep 600 </dev/null >/dev/null 2>&1 & work", toWorker, "{random: 1}")
	g.Expect(r.Verdict).To(Equal(check.Fail))
	g.Expect(r.Cause).To(Equal("1 process of the target ran on after it was told to end, and was ended by the harness"))
}
