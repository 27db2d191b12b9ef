package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
)

// A scenario's run looks at the process that it is in: zombies, cgroups, goroutines. To run several side by side, each
// gets a process of its own: this test binary with these in its environment.
const (
	envApart = "RESPAWN_TEST_SCENARIO" // its name, or its file
	envSet   = "RESPAWN_TEST_SET"      // settings, a line each
	envOut   = "RESPAWN_TEST_OUT"      // where the report goes
	// the directory of the control group that the run moves itself to; "" or absent: none
	envGroup = "RESPAWN_TEST_GROUP"
)

func TestMain(m *testing.M) {
	pool.Main()
	if name := os.Getenv(envApart); name != "" {
		if err := serveApart(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	takes.SideBySide(4)
	code := m.Run()
	for _, dir := range built {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// serveApart runs the short form of one scenario in this process.
func serveApart(name string) error {
	os.Unsetenv(envApart) // the workers are this program too
	if dir := os.Getenv(envGroup); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return err
		}
	}
	o := scenarios.Options{Short: true}
	if sets := os.Getenv(envSet); sets != "" {
		o.Set = strings.Split(sets, "\n")
	}
	read := scenarios.ReadNamed
	if filepath.Ext(name) == ".yaml" {
		read = scenarios.ReadFile
	}
	s, err := read(name, o)
	if err != nil {
		return err
	}
	_, err = s.Run(context.Background(),
		scenarios.RunOptions{Dir: os.Getenv(envOut), Command: "respawn run --short " + name})
	return err
}

// runApart runs the short form of a scenario in a process of its own. The directory, which has its files, is removed
// unless the test fails.
func runApart(t *testing.T, name string, set ...string) (r *reports.Report, dir string, err error) {
	return runIn(t, nil, name, set...)
}

// runIn is runApart with more in the environment of that process.
func runIn(t *testing.T, env []string, name string, set ...string) (r *reports.Report, dir string, err error) {
	r, dir, err = runProcess(t.Context(), env, name, set...)
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	return r, dir, err
}

// runProcess runs the short form of a scenario in a process of its own. The directory, which has its files, is removed
// if the run passed, or proves nothing since the host was starved.
func runProcess(ctx context.Context, env []string, name string,
	set ...string,
) (r *reports.Report, dir string, err error) {
	if dir, err = os.MkdirTemp("", "respawn-test-"); err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", envApart+"="+name, envSet+"="+strings.Join(set, "\n"),
		envOut+"="+dir)
	cmd.Env = append(cmd.Env, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, dir, fmt.Errorf("%s: %w: %s", name, err, stderr.String())
	}
	if r, err = reports.Load(filepath.Join(dir, "report.json")); err != nil {
		return nil, dir, err
	}
	if r.Verdict.ExitCode() == 0 || r.Skipped != "" || r.Starved() {
		err = os.RemoveAll(dir)
	}
	return r, dir, err
}

// onAStarvedHost skips the test where the host was too busy for the run to prove anything.
func onAStarvedHost(t interface{ Skip(args ...any) }, r *reports.Report) {
	if r.Starved() {
		t.Skip(r.Cause)
	}
}

// describe is why a run did not end as it should have.
func describe(r *reports.Report, dir string) func() string {
	return func() string { return scenariotest.Describe(r, dir) }
}

// A signal has its name with and without SIG, in any case, for the parent too: signal 0 would end nobody. A mix that is
// to end the parent ends it as well.
func TestTheParentIsEndedHoweverItsFaultIsSpelt(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for i, fault := range []string{"{mixed: [{fault: {supervisor: KILL}}]}", "{supervisor: SIGkill}"} {
		if i > 0 && !takes.Every() {
			break
		}
		g := NewWithT(t)
		r, dir, err := runApart(t, "supervisor-kill", "chaos.0.fault="+fault)
		g.Expect(err).NotTo(HaveOccurred())
		onAStarvedHost(t, r)
		g.Expect(r.Verdict).To(Equal(check.Pass), describe(r, dir))
	}
}
