package command_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/command"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

func TestMain(m *testing.M) {
	pool.Main()
	takes.SideBySide(6)
	os.Exit(m.Run())
}

// atOnce is for those who leave something that nobody ends.
var atOnce = command.Stop{Within: units.Duration(300 * time.Millisecond)}

// supervisor starts two sleepers, and one anew whenever one has ended.
const supervisor = `start() { sleep 3600 & }; start; start; trap 'kill $(jobs -p); exit 0' TERM; while :; do wait -n; start; done`

func start(t *testing.T, s command.Settings) (*command.Target, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	c, err := command.Start(ctx, &s, kind.Place{Dir: t.TempDir()})
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func alive(pid int) func() bool {
	return func() bool { p, err := procfs.Read(pid); return err == nil && p.Alive() }
}

func TestAMemberThatIsKilledIsBackWhenAnotherIsThere(t *testing.T) {
	g := NewWithT(t)
	c, err := start(t, command.Settings{Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2)})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Describe().Proof).To(Equal("presence"))
	before, err := c.Members(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(before).To(HaveLen(2))
	g.Expect(syscall.Kill(before[1].PID, syscall.SIGKILL)).To(Succeed())
	g.Eventually(alive(before[1].PID)).Should(BeFalse())
	pid, err := c.Probe(t.Context(), before[1].Slot)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pid).NotTo(BeElementOf(before[0].PID, before[1].PID))
	g.Expect(alive(pid)()).To(BeTrue())

	g.Expect(c.Close()).To(Succeed())
	for _, pid := range []int{before[0].PID, pid, c.Supervisor()} {
		g.Expect(alive(pid)()).To(BeFalse())
	}
}

// That somebody listens shows nothing: the target must answer.
func TestASlotIsNotBackWhileTheTargetDoesNotAnswer(t *testing.T) {
	g := NewWithT(t)
	file := t.TempDir() + "/answers"
	g.Expect(os.WriteFile(file, nil, 0o600)).To(Succeed())
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2),
		Ready: calls.Spec{Exec: &calls.Exec{Argv: []string{"test", "-e", file}}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Describe().Proof).To(Equal("call"))
	g.Expect(os.Remove(file)).To(Succeed())
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = c.Probe(soon, 0)
	g.Expect(err).To(MatchError(ContainSubstring("the target does not answer: failed")))
	g.Expect(os.WriteFile(file, nil, 0o600)).To(Succeed())
	g.Expect(c.Probe(t.Context(), 0)).To(BeNumerically(">", 0))
}

func TestMembersAreThoseOfTheRule(t *testing.T) {
	g := NewWithT(t)
	c, err := start(t, command.Settings{
		Argv: []string{
			"bash", "-c", `trap 'trap "" TERM; kill 0' TERM; bash -c 'sleep 3600 & sleep 3601 & wait' & wait`,
		}, Size: units.Exactly(1),
		Rule: members.Rule{Match: &members.Match{Argv: "^sleep 3601"}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	list, err := c.Members(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list).To(HaveLen(1))
	g.Expect(procfs.Args(list[0].PID)).To(Equal([]string{"sleep", "3601"}))
}

func TestWhatIsLeftIsEndedAndCounted(t *testing.T) {
	g := NewWithT(t)
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", `trap '' TERM; sleep 3600 & wait; while :; do sleep 1; done`},
		Size: units.Exactly(1), Stop: command.Stop{Within: units.Duration(100 * time.Millisecond)},
	})
	g.Expect(err).NotTo(HaveOccurred())
	list, _ := c.Members(t.Context())
	err = c.Close()
	var left *chaos.LeftError
	g.Expect(errors.As(err, &left)).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError(ContainSubstring("lives on 100ms after SIGTERM")))
	g.Expect(alive(list[0].PID)()).To(BeFalse())
	g.Expect(alive(c.Supervisor())()).To(BeFalse())
}

func TestAProgramThatDoesNotComeUpIsToldInItsOwnWords(t *testing.T) {
	g := NewWithT(t)
	_, err := start(t,
		command.Settings{Argv: []string{"sh", "-c", "echo no seats left >&2; exit 3"}, Size: units.Exactly(1)})
	g.Expect(err).To(MatchError("sh: it exited with code 3 while it started: no seats left"))
	_, err = start(t, command.Settings{
		Argv: []string{"no-such-server"}, Size: units.Exactly(1), Install: "apt-get install no-such-server",
	})
	var missing *foreign.NotInstalledError
	g.Expect(errors.As(err, &missing)).To(BeTrue(), "%v", err)
}

func TestEnvironmentDirectoryAndUserAreTheScenarios(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	s := command.Settings{
		Argv: []string{"bash", "-c", `sleep 3600 & echo "$MINE $PWD $(id -u)" >$OUT; wait`},
		Size: units.Exactly(1), Dir: dir,
		Env: map[string]string{"MINE": "yes", "OUT": "out"}, Stop: atOnce,
	}
	want := "yes " + dir + " " + strconv.Itoa(os.Getuid()) + "\n"
	if os.Getuid() == 0 {
		g.Expect(os.Chmod(dir, 0o777)).To(Succeed())
		s.User, s.Dir, s.Env["OUT"] = "nobody", "/", dir+"/out"
		for at := dir; at != os.TempDir() && len(at) > 4; at = filepath.Dir(at) {
			g.Expect(os.Chmod(at, 0o777)).To(Succeed())
		}
		want = "yes / 65534\n"
	}
	_, err := start(t, s)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() string { text, _ := os.ReadFile(dir + "/out"); return string(text) }).Should(Equal(want))
}

// Whom an ancestor of the program has adopted since descends from it no more, and is its member all the same.
func TestMembersMayBecomeDaemons(t *testing.T) {
	g := NewWithT(t)
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", `(setsid sleep 3602 &); exec sleep 3603`}, Size: units.Exactly(1),
		Rule: members.Rule{Match: &members.Match{Argv: "^sleep 3602"}}, Stop: atOnce,
	})
	g.Expect(err).NotTo(HaveOccurred())
	list, err := c.Members(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list).To(HaveLen(1))
	g.Expect(procfs.Ancestors(list[0].PID)).NotTo(ContainElement(c.Supervisor()))
	_ = c.Close()
	g.Expect(alive(list[0].PID)()).To(BeFalse())
}

// The version is the first number with a dot; what asking for it leaves running ends with the target.
func TestAVersionIsAskedForAndLeavesNothing(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	left := t.TempDir() + "/left"
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2),
		Version: []string{"sh", "-c", "setsid sleep 3604 & echo $! >" + left + "; echo tool 3 of 12.5.1-2"},
		Stop:    atOnce,
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Describe().Version).To(Equal("12.5.1-2"))
	text, err := os.ReadFile(left)
	g.Expect(err).NotTo(HaveOccurred())
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	g.Expect(err).NotTo(HaveOccurred())
	_ = c.Close()
	g.Expect(alive(pid)()).To(BeFalse())
}

// What is still asked for the version when its time is up is ended with all that it has started, and passes for no
// member.
func TestAVersionThatTakesTooLongLeavesNothing(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	t.Cleanup(command.AskVersionsFor(200 * time.Millisecond))
	c, err := start(t, command.Settings{
		Argv: []string{"bash", "-c", supervisor}, Size: units.Exactly(2), Rule: members.Rule{Tree: true},
		Version: []string{"sh", "-c", "sleep 3605 & wait"},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Describe().Version).To(BeEmpty())
	g.Consistently(func() ([]int, error) { return c.Workers(t.Context()) }).WithTimeout(200 * time.Millisecond).
		Should(HaveLen(2))
}
