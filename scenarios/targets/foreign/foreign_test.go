package foreign_test

import (
	"bufio"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

func TestMain(m *testing.M) {
	pool.Main()
	if len(os.Args) > 1 && os.Args[1] == "harness" {
		harness()
	}
	os.Exit(m.Run())
}

// family is a program that starts one process of each kind that a harness must find, says their pids, and waits.
const family = `
ready=$(mktemp -u); mkfifo $ready; exec 3<>$ready; rm $ready
sleep 3600 & echo child=$!; echo >&3
sh -c 'sleep 3600 & echo orphan=$!'; echo >&3 # its parent is gone, but it is in the program's session
setsid sh -c 'echo session=$$; echo >&3; exec sleep 3600' & # in a session of its own
setsid env -i /bin/sh -c 'echo stray=$$; echo >&3; exec /bin/sleep 3600' & # and without the environment
for i in 1 2 3 4; do read -r _ <&3; done
echo done
exec sleep 3600
`

// start starts a shell script and returns the pids that it says.
func start(t *testing.T, script string) (*foreign.Program, map[string]int) {
	t.Helper()
	g := NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	p, err := foreign.Start(foreign.Command{Argv: []string{"sh", "-c", script}, Stdout: w})
	w.Close()
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { r.Close(); g.Expect(p.End()).To(Succeed()) })
	return p, readPIDs(bufio.NewScanner(r))
}

func readPIDs(lines *bufio.Scanner) map[string]int {
	pids := map[string]int{}
	for lines.Scan() && lines.Text() != "done" {
		name, number, _ := strings.Cut(lines.Text(), "=")
		pids[name], _ = strconv.Atoi(number)
	}
	return pids
}

func alive(pid int) bool {
	p, err := procfs.Read(pid)
	return err == nil && p.Alive()
}

func TestEveryDescendantIsFoundAndEnded(t *testing.T) {
	g := NewWithT(t)
	p, pids := start(t, family)
	g.Expect(pids).To(HaveLen(4))
	found, err := p.Family()
	g.Expect(err).NotTo(HaveOccurred())
	for _, pid := range pids {
		g.Expect(found).To(HaveKey(pid))
		g.Expect(p.Owns(pid)).To(BeTrue())
	}
	g.Expect(found).NotTo(HaveKey(p.PID()))
	g.Expect(p.End()).To(Succeed())
	pids["program"] = p.PID()
	for name, pid := range pids {
		g.Expect(alive(pid)).To(BeFalse(), name)
	}
}

// Who has no environment may be just becoming another program, and is waited for: it may be a descendant then.
func TestNobodyIsLeftOnceNobodyBecomesAnotherProgram(t *testing.T) {
	g := NewWithT(t)
	p, pids := start(t, `setsid sh -c 'echo child=$$; echo done; exec env -i sleep 0.3' &`)
	g.Eventually(p.Exited()).WithTimeout(10 * time.Second).Should(BeClosed())
	g.Expect(p.Left(t.Context(), time.Minute)).To(BeEmpty())
	g.Expect(alive(pids["child"])).To(BeFalse())
	g.Expect(p.End()).To(Succeed())
}

// A process that becomes another program has no environment in between, and a session of its own and a dead parent are
// no signs.
func TestADescendantThatWasSeenIsKnownAgainWithoutAnySign(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	for _, name := range []string{"forget", "end"} {
		g.Expect(syscall.Mkfifo(filepath.Join(dir, name), 0o600)).To(Succeed())
	}
	say := func(to string) { g.Expect(os.WriteFile(filepath.Join(dir, to), []byte("now\n"), 0)).To(Succeed()) }
	p, pids := start(t, "cd "+dir+`
		setsid sh -c 'echo child=$$; echo done; read -r _ <forget; exec env -i /bin/sleep 3600' &
		read -r _ <end`)
	pid := pids["child"]
	g.Expect(p.Family()).To(HaveKey(pid))
	say("forget")
	g.Eventually(func() string { return foreign.Name(pid) }).WithTimeout(10 * time.Second).Should(Equal("sleep"))
	say("end")
	g.Eventually(p.Exited()).WithTimeout(10 * time.Second).Should(BeClosed())
	g.Expect(p.Owns(pid)).To(BeTrue())
	g.Expect(p.Family()).To(HaveKey(pid))
	g.Expect(p.End()).To(Succeed())
	g.Expect(alive(pid)).To(BeFalse())
}

func TestNobodyElseIsOwned(t *testing.T) {
	g := NewWithT(t)
	p, _ := start(t, "echo done; exec sleep 3600")
	other, pids := start(t, family)
	pids["other"] = other.PID()
	foreigners := slices.Collect(maps.Values(pids))
	for _, pid := range append(foreigners, 0, 1, -1, os.Getpid(), os.Getppid(), p.PID()) {
		g.Expect(p.Owns(pid)).To(BeFalse(), "%d", pid)
	}
	g.Expect(p.End()).To(Succeed())
	for name, pid := range pids {
		g.Expect(alive(pid)).To(BeTrue(), name)
	}
}

// Whoever sees in a listing that a process is gone must not hear that it is held and lives.
func TestAProcessThatIsAZombieIsGone(t *testing.T) {
	g := NewWithT(t)
	for range 100 {
		cmd := exec.Command("sleep", "3600")
		g.Expect(cmd.Start()).To(Succeed())
		held, err := foreign.Hold(cmd.Process.Pid)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(held.Gone()).To(BeFalse())
		g.Expect(cmd.Process.Kill()).To(Succeed())
		for alive(cmd.Process.Pid) { // to the moment, not to the next tick
		}
		gone := held.Gone()
		_ = cmd.Wait()
		held.Release()
		g.Expect(gone).To(BeTrue())
	}
}

func TestTheExitIsTold(t *testing.T) {
	for script, want := range map[string]string{
		"echo oh no >&2; exit 3": "exited with code 3",
		"kill -SEGV $$":          "ended by SIGSEGV",
	} {
		g := NewWithT(t)
		p, _ := start(t, script)
		g.Eventually(p.Exited()).WithTimeout(10 * time.Second).Should(BeClosed())
		g.Expect(p.Exit().String()).To(Equal(want))
		if strings.Contains(script, "oh no") {
			g.Eventually(p.Stderr).Should(Equal("oh no\n"))
		}
	}
}

func TestALongStderrKeepsItsEnd(t *testing.T) {
	g := NewWithT(t)
	p, _ := start(t, `yes 0123456789 | head -c 1000000 >&2; echo the end >&2; echo done; exec sleep 3600`)
	g.Eventually(p.Stderr).WithTimeout(10 * time.Second).Should(HaveSuffix("the end\n"))
	g.Expect(len(p.Stderr())).To(BeNumerically("<=", 16<<10))
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	g := NewWithT(t)
	_, err := foreign.Start(
		foreign.Command{Argv: []string{"no-such-server", "-v"}, Install: "apt-get install no-such-server"})
	var missing *foreign.NotInstalledError
	g.Expect(errors.As(err, &missing)).To(BeTrue())
	g.Expect(err).To(MatchError("no-such-server is not installed: apt-get install no-such-server"))
	for problem, argv := range map[string][]string{
		"no command": nil, `exec: "/": is a directory`: {"/"}, `exec: "/dev/null": permission denied`: {"/dev/null"},
	} {
		_, err = foreign.Start(foreign.Command{Argv: argv})
		g.Expect(err).To(MatchError(&foreign.CommandError{Problem: problem}))
	}
	_, err = foreign.Start(foreign.Command{Argv: []string{"sh"}, Dir: "/nowhere"})
	g.Expect(err).To(MatchError(os.ErrNotExist))
	_, err = foreign.Tool{Name: "no-such-server", Install: "make it"}.Find()
	g.Expect(err).To(MatchError("no-such-server is not installed: make it"))
}

func TestAToolIsFoundByItsOtherNamesTheNewestFirst(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	for _, name := range []string{"tool8.1", "tool8.3", "tool7.4"} {
		g.Expect(os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho $0 says $1 >&2\necho more >&2\n"),
			0o755)).To(Succeed())
	}
	tool := foreign.Tool{
		Name: "no-such-tool", Others: []string{"nor-this", filepath.Join(dir, "tool[0-9]*")}, Version: []string{"-v"},
	}
	path, err := tool.Find()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(path).To(Equal(filepath.Join(dir, "tool8.3")))
	g.Expect(tool.VersionAt(t.Context(), path)).To(Equal(path + " says -v"))
}

// A program that is named by a path is relative to the directory that it is started in.
func TestAPathIsRelativeToTheDirectory(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(dir, "mine"), []byte("#!/bin/sh\nexit 3\n"), 0o755)).To(Succeed())
	for _, name := range []string{"./mine", filepath.Join(dir, "mine")} {
		p, err := foreign.Start(foreign.Command{Argv: []string{name}, Dir: dir})
		g.Expect(err).NotTo(HaveOccurred())
		g.Eventually(p.Exited()).WithTimeout(10 * time.Second).Should(BeClosed())
		g.Expect(p.Exit().Code).To(Equal(3))
		g.Expect(p.End()).To(Succeed())
	}
}

func TestRootStepsDown(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: there is nothing to step down from")
	}
	g := NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	p, err := foreign.Start(foreign.Command{Argv: []string{"id", "-u"}, Dir: "/", Stdout: w, Unprivileged: true})
	w.Close()
	g.Expect(err).NotTo(HaveOccurred())
	defer p.End()
	g.Expect(bufio.NewReader(r).ReadString('\n')).To(Equal("65534\n"))
}

// harness is a process that starts the family and waits to be killed.
func harness() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	if _, err := foreign.Start(foreign.Command{Argv: []string{"sh", "-c", family}, Stdout: w}); err != nil {
		panic(err)
	}
	w.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		os.Stdout.WriteString(lines.Text() + "\n")
	}
	select {}
}

// When the harness itself is killed, its guardian ends the program. Only the process that shed both its session and its
// environment is out of its reach: nothing tells any more whose it was.
func TestAKilledHarnessLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	c := exec.Command(os.Args[0], "harness")
	out, err := c.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Start()).To(Succeed())
	pids := readPIDs(bufio.NewScanner(out))
	g.Expect(pids).To(HaveLen(4))
	defer syscall.Kill(pids["stray"], syscall.SIGKILL)
	delete(pids, "stray")
	g.Expect(c.Process.Kill()).To(Succeed())
	_ = c.Wait()
	for name, pid := range pids {
		g.Eventually(func() bool { return alive(pid) }).WithTimeout(10*time.Second).Should(BeFalse(), name)
	}
	g.Eventually(func() ([]os.DirEntry, error) { return os.ReadDir(temp) }).WithTimeout(10 * time.Second).
		Should(BeEmpty())
}

func TestTemporaryFilesOfAKilledProgramAreRemoved(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	p, _ := start(t, `mkdir "$TMPDIR/mine" && touch "$TMPDIR/mine/file"; echo done; exec sleep 3600`)
	made, err := filepath.Glob(filepath.Join(dir, "*", "mine", "file"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(made).To(HaveLen(1))
	g.Expect(p.End()).To(Succeed())
	g.Expect(os.ReadDir(dir)).To(BeEmpty())
}
