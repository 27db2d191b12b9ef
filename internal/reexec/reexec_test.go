package reexec_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/reexec"
)

// envForgets makes this program one that does not call Main, as envMain makes it one that does and runs on.
const (
	envForgets = "REEXEC_TEST_FORGETS"
	envMain    = "REEXEC_TEST_MAIN"
)

var (
	_ = reexec.Floor.Serve(tell)
	_ = reexec.Driver.Serve(tell)
)

// tell says what a process is and may do.
func tell(value string) {
	fmt.Printf("%s floor=%t driver=%t marked=%t: %v", value, reexec.Floor.Is(), reexec.Driver.Is(),
		reexec.Floor.Marked() || reexec.Driver.Marked(), reexec.Check())
}

func TestMain(m *testing.M) {
	if os.Getenv(envForgets) != "" {
		tell("main")
		os.Exit(0)
	}
	reexec.Main()
	if os.Getenv(envMain) != "" {
		tell("main")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// said is what this program says that is started with that environment.
func said(t *testing.T, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), reexec.Program)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), "%s", out)
	return string(out)
}

func TestAProcessIsWhatItsMarkerSaysAndItsMainNeverRuns(t *testing.T) {
	g := NewWithT(t)
	g.Expect(said(t, envMain+"=1")).To(Equal("main floor=false driver=false marked=false: <nil>"))
	g.Expect(said(t, envMain+"=1", "RESPAWN_DRIVER=v1")).To(Equal("v1 floor=false driver=true marked=false: <nil>"),
		"a driver starts workers")
	g.Expect(said(t, envMain+"=1", "RESPAWN_FLOOR=echo")).To(And(
		HavePrefix("echo floor=true driver=false marked=false: "),
		ContainSubstring("this process is a child that is measured, which starts no others")))
}

func TestAProgramThatForgetsMainStartsNoCopyOfItself(t *testing.T) {
	g := NewWithT(t)
	g.Expect(said(t, envForgets+"=1")).To(HaveSuffix(": " + reexec.ErrMainNotCalled.Error()))
	g.Expect(said(t, envForgets+"=1", "RESPAWN_FLOOR=echo")).To(HaveSuffix(": "+reexec.ErrMainNotCalled.Error()),
		"nor does the copy")
}

func TestAProcessThatDidNotBecomeWhatItsMarkerSaysStartsNoOther(t *testing.T) {
	g := NewWithT(t)
	g.Expect(reexec.Hog.Marker("1")).To(Equal("RESPAWN_HOG=1"))
	g.Expect(said(t, envMain+"=1", "RESPAWN_HOG=1")).
		To(And(HavePrefix("main "), ContainSubstring("RESPAWN_HOG in its environment")), "this program serves no hogs")
	t.Setenv("RESPAWN_HOG", "1")
	_, err := reexec.Floor.Marker("echo")
	g.Expect(err).To(MatchError(reexec.ErrMainNotCalled))
}

func TestARoleIsServedOnce(t *testing.T) {
	NewWithT(t).Expect(func() { reexec.Floor.Serve(tell) }).To(PanicWith(ContainSubstring("served twice")))
}
