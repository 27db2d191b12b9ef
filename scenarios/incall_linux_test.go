package scenarios_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
)

// Of the idle workers of CPython's pool one waits in read, and holds the lock of the queue; the others wait for that.
// Killing just any of them finds python/cpython#96062 now and then, killing that one finds it each time.
func TestAWorkerThatWaitsInACallIsHitThere(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	g := NewWithT(t)
	driver, err := filepath.Abs("drivers/multiprocessing_pool.py")
	g.Expect(err).NotTo(HaveOccurred())
	text := strings.NewReplacer("PYTHON", python, "DRIVER", driver).Replace(`
name: in-read
target: {driver: {command: [PYTHON, DRIVER], size: 4}}
chaos:
  - fault: {signal: KILL}
    pick: {in: read, state: idle}
    when: {after: 300ms}
settle: 1500ms
`)
	file := filepath.Join(t.TempDir(), "in-read.yaml")
	g.Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	times := 1
	if takes.Every() {
		times = 5
	}
	for range times {
		r, _, err := runApart(t, file)
		g.Expect(err).NotTo(HaveOccurred())
		if strings.Contains(r.Cause, "cannot be read") {
			t.Skip("needs the right to trace")
		}
		g.Expect(r.Verdict).To(Equal(check.Fail), r.Cause)
		g.Expect(r.Faults).To(HaveLen(1))
		g.Expect(r.Faults[0].Receipt.Evidence).
			To(HaveKeyWithValue("call", "last entered read, which may have completed"))
		g.Expect(r.Metrics["slots.silent"]).To(Equal(4.0), "no worker takes a task any more")
	}
	_, err = scenarios.Parse("x.yaml", []byte(strings.Replace(text, "in: read", "in: raed", 1)), scenarios.Options{})
	g.Expect(err).
		To(MatchError(ContainSubstring(`in "raed": want a system call in which a process waits: accept, accept4, `)))
}
