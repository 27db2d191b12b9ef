package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

var pairs = flag.Int("pairs", 0,
	"how many pairs of repeated runs TestGateOverPairs compares; a pair takes most of a minute")

// The gate on real runs: each time a baseline, the same again, and the same with boots that take as much longer as the
// baseline took to recover. It must be red on the last and never on the second.
func TestGateOverPairs(t *testing.T) {
	if *pairs == 0 {
		t.Skip("it measures, and takes minutes on a quiet machine: make gate-pairs")
	}
	found := 0
	for n := range *pairs {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			before, again, slow := filepath.Join(dir, "before"), filepath.Join(dir, "again"), filepath.Join(dir, "slow")
			file := filepath.Join(dir, "killed.yaml")
			write(g, file, killed)
			repeated(g, before, file)
			repeated(g, again, file)
			took := recovery(g, before).Round(100 * time.Microsecond)
			write(g, file, killed+fmt.Sprintf("  - fault: {spawn: {delay: %v}}\n", took))
			repeated(g, slow, file)
			noise, noiseCode := decision(g, again, before)
			twice, twiceCode := decision(g, slow, before)
			t.Logf("same again: %s", noise.Rows[0].Change.Text)
			t.Logf("boots %v slower: %s", took, twice.Rows[0].Change.Text)
			g.Expect(noiseCode).To(Equal(exitPass))
			if twiceCode == exitFail {
				found++
				return
			}
			g.Expect(twice.Rows[0].Change.Detects).To(Or(BeZero(), BeNumerically(">", 2)), "missed, and not told")
		})
	}
	t.Logf("found %d of %d", found, *pairs)
}

// killed has enough kills for a median, and they are far enough apart for one not to slow the next.
const killed = `name: killed
target: {pool: {size: 4}}
chaos:
  - fault: {signal: KILL}
    pick: {each: true, state: idle}
    when: {every: 60ms, times: 20}
    require: {confirmed: 16}
`

// repeated runs the file six times.
func repeated(g *WithT, dir, file string) {
	out, err := respawnCommand(g, "run", file, "--repeat", "6", "--out", dir).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
}

// recovery is the median of the runs' median recoveries.
func recovery(g *WithT, dir string) time.Duration {
	runs, err := reports.LoadAll(dir)
	g.Expect(err).NotTo(HaveOccurred())
	var all []float64
	for _, r := range runs {
		all = append(all, r.Metrics["slot.recovery.p50"])
	}
	slices.Sort(all)
	return time.Duration(all[len(all)/2] * float64(time.Second))
}

func decision(g *WithT, dir, baseline string) (d ci.Decision, code int) {
	cmd := respawnCommand(g, "gate", dir, "--baseline", baseline, "--json")
	var out bytes.Buffer
	cmd.Stdout = &out
	_ = cmd.Run() // the code tells
	g.Expect(json.Unmarshal(out.Bytes(), &d)).To(Succeed())
	g.Expect(d.Rows).To(HaveLen(1))
	return d, cmd.ProcessState.ExitCode()
}

// respawnCommand is this program as the command respawn.
func respawnCommand(g *WithT, args ...string) *exec.Cmd {
	self, err := exec.LookPath("respawn") // testscript put it there
	g.Expect(err).NotTo(HaveOccurred())
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	return cmd
}
