package command_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/command"
)

// strike has one fault befall a program with two members, and gives its report. The run is ended then, unless more is
// to come.
func strike(t *testing.T, argv, fault, more string) *reports.Report {
	t.Helper()
	g := NewWithT(t)
	s, err := scenarios.Parse("x.yaml", []byte(fmt.Sprintf(
		"name: x\ntarget: {command: {argv: %s, size: 2}}\nchaos:\n  - fault: %s\n%ssettle: 1s\n", argv, fault, more)),
		scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := s.Run(ctx,
		scenarios.RunOptions{Dir: t.TempDir(), Floors: map[string]float64{}, Progress: func(p scenarios.Progress) {
			if p.Confirmed+p.Failed > 0 && more == "" {
				stop()
			}
		}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Faults).NotTo(BeEmpty(), r.Cause)
	g.Expect(r.Faults[0].Outcome).To(Equal(history.Confirmed), r.Faults[0].Err)
	return r
}

// supervised is the program of supervisor as a list of YAML.
func supervised() string { return fmt.Sprintf("[bash, -c, %q]", supervisor) }

// Two sleepers outlive who started them, and whoever starts that again has four.
func TestWhoLivesOnIsToldAndWhetherANewOneStartsTwins(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	e := strike(t, supervised(), "{supervisor: KILL}", "").Faults[0].Receipt.Evidence
	g.Expect(e).To(And(HaveKeyWithValue("descendants", "2"), HaveKeyWithValue("who lives on", "2 sleep")))
	g.Expect(e).To(HaveKeyWithValue(history.NewParent, "starts 2 twins beside the 2 left"))
	g.Expect(e).NotTo(HaveKey("ports"))
}

// With the tree nobody is left, and the new one is alone.
func TestTheWholeTreeIsStruck(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	e := strike(t, supervised(), "{supervisor: {tree: true}}", "").Faults[0].Receipt.Evidence
	g.Expect(e).To(And(HaveKeyWithValue("struck with it", "2"), HaveKeyWithValue("descendants", "0")))
	g.Expect(e).To(HaveKeyWithValue(history.NewParent, "starts 2 of 2"))
}

// While the parent is stopped nobody replaces a member that is killed; afterwards it is replaced.
func TestAParentIsPaused(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	r := strike(t, supervised(), "{supervisor: {pause: 4s}}", "  - fault: {signal: KILL}\n    when: {after: 1s}\n")
	g.Expect(r.Faults[0].Receipt.Evidence).
		To(And(HaveKeyWithValue("at the beginning", "T of 1"), HaveKeyWithValue("at the end", "T of 1, 0 gone")))
	g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
	g.Expect(r.Metrics["slot.recovery.max"]).To(BeNumerically(">", 0.3))
}

// reloading starts two sleepers, and on USR1 replaces them (HUP may be ignored, as below nohup, and bash cannot trap it
// then). It has no other children, which would be members for a moment.
const reloading = `echo $$ >$TMPDIR/pid; mkfifo $TMPDIR/never; exec 3<>$TMPDIR/never; trap 'kill $a $b; exit 0' TERM; trap 'kill $a $b' USR1
sleep 3600 & a=$!; sleep 3600 & b=$!
while :; do read -t 0.05 -u 3; kill -0 $a || { sleep 3600 & a=$!; }; kill -0 $b || { sleep 3600 & b=$!; }; done`

// All members are replaced as the program itself does it; nobody takes that for deaths that nobody caused.
func TestAProgramIsRestartedAsItSaysItself(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for _, how := range []string{"signal: USR1", "argv: [sh, -c, 'kill -USR1 $(cat $TMPDIR/pid)']"} {
		t.Run(how[:4], func(t *testing.T) {
			g := NewWithT(t)
			r := strike(t, fmt.Sprintf("[bash, -c, %q], restart: {%s}", reloading, how), "{restart: {}}",
				"expect: [pids.turnover == 2]\n")
			g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
			g.Expect(r.Faults[0].Receipt.Evidence).To(HaveKeyWithValue("replaced", "2"))
		})
	}
}

// A restart that does not come to its end is told in the program's own words, or by how many are there.
func TestARestartThatFailsIsToldInWords(t *testing.T) {
	g := NewWithT(t)
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2),
		Restart: command.Restart{Argv: []string{"sh", "-c", "echo no such group; exit 2"}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Restart(t.Context())).To(MatchError("restart bash: sh: exit status 2: no such group"))
	c, err = start(t, command.Settings{
		Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2),
		Restart: command.Restart{Argv: []string{"true"}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	g.Expect(c.Restart(soon)).To(MatchError(ContainSubstring("2 members are there, 2 of them from before")))
}

// holding is a main process whose two children hold its socket.
const holding = `
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(8)
for _ in range(2):
    if os.fork() == 0:
        while True:
            s.accept()[0].close()
while True:
    os.wait()
`

func TestAPortThatIsHeldKeepsANewParentFromStarting(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3")
	}
	g := NewWithT(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	port := free.Addr().(*net.TCPAddr).Port
	g.Expect(free.Close()).To(Succeed())
	e := strike(t, fmt.Sprintf("[python3, -c, %q, %q]", holding, fmt.Sprint(port)), "{supervisor: KILL}",
		"").Faults[0].Receipt.Evidence
	g.Expect(e).To(HaveKeyWithValue("ports", fmt.Sprintf("%d is held by 2 python3", port)))
	g.Expect(e[history.NewParent]).
		To(And(HavePrefix("cannot start: it exited with code 1: "), HaveSuffix("Address already in use")))
}
