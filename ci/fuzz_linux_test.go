package ci_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// fuzzed runs the script on one target with a go command that does this, and returns what it says and its exit code.
func fuzzed(t *testing.T, does string) (string, int) {
	g := NewWithT(t)
	fake := filepath.Join(t.TempDir(), "go")
	g.Expect(os.WriteFile(fake, []byte("#!/bin/sh\n"+does+"\n"), 0o700)).To(Succeed())
	cmd := exec.CommandContext(t.Context(), "./fuzz", "FuzzParse")
	cmd.Env = append(os.Environ(), "GO="+fake, "EXECS=1000", "MOST=0.2")
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(said), exit.ExitCode()
	}
	g.Expect(err).NotTo(HaveOccurred())
	return string(said), 0
}

// A fuzz target that has hardly been executed has found nothing, and proves nothing.
func TestAFuzzTargetThatWasHardlyExecutedIsAFailure(t *testing.T) {
	for name, is := range map[string]struct {
		does, says string
		code       int
	}{
		"enough": {
			"echo 'fuzz: elapsed: 3s, execs: 5 (2/sec)'; echo 'fuzz: elapsed: 6s, execs: 1000 (2/sec)'; echo PASS",
			`FuzzParse +1000 executions`, 0,
		},
		"five":     {"echo 'fuzz: elapsed: 60s, execs: 5 (0/sec)'; echo PASS", `FuzzParse +5 executions`, 1},
		"none":     {"echo PASS", `FuzzParse +0 executions`, 1},
		"it found": {"echo 'fuzz: elapsed: 3s, execs: 1000 (2/sec)'; echo 'panic: oh no'; exit 1", `oh no`, 1},
		"too slow": {"exec sleep 5", `too slow: want 1000 executions within 0.2`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			said, code := fuzzed(t, is.does)
			g.Expect(code).To(Equal(is.code), said)
			g.Expect(said).To(MatchRegexp(is.says))
		})
	}
}
