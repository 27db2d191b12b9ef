package attach_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/attach"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

func TestMain(m *testing.M) {
	pool.Main()
	if spec := os.Getenv("RESPAWN_TEST_ATTACH"); spec != "" {
		harness(spec)
	}
	os.Exit(m.Run())
}

// tree starts three members, each of which appends the name of every signal that it takes and survives to a file, and
// starts one anew whenever one has ended.
const tree = `member() { bash -c 'for s in TERM INT HUP USR1 CONT; do trap "echo $s >>signals" $s; done; echo up >>members; while :; do sleep 0.05; done' & }
member; member; member
while :; do wait -n && member || member; done`

// start starts a tree that the harness knows nothing of, and waits until its members are there.
func start(t *testing.T) (pid int, dir string) {
	t.Helper()
	g := NewWithT(t)
	dir = t.TempDir()
	cmd := exec.Command("bash", "-c", tree)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	g.Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // not reaped yet, so that the number is its own
		_ = cmd.Wait()
	})
	g.Eventually(func() int {
		text, _ := os.ReadFile(filepath.Join(dir, "members"))
		return strings.Count(string(text), "up")
	}).
		WithTimeout(20 * time.Second).Should(Equal(3))
	return cmd.Process.Pid, dir
}

// children lists the living children of a process.
func children(t *testing.T, parent int) (pids []int) {
	t.Helper()
	table, err := procfs.Snapshot()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for pid, p := range table {
		if p.PPID == parent && p.Alive() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

func yes(kind.Seen) (string, error) { return "a test", nil }

// run runs a scenario against what the settings, in YAML, find.
func run(t *testing.T, settings, chaos string) *reports.Report {
	t.Helper()
	s, err := scenarios.Parse("x.yaml", []byte("name: x\ntarget: {attach: "+settings+"}\nsettle: 5s\n"+chaos),
		scenarios.Options{})
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	r, err := s.Run(t.Context(), scenarios.RunOptions{Dir: t.TempDir(), Consent: yes})
	g.Expect(err).NotTo(HaveOccurred())
	return r
}

// Nobody is struck but those of the rule: not a tree beside them that has the same command lines and the same owner.
func TestAnInnocentTwinIsNotTouched(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	target, dir := start(t)
	twin, beside := start(t)
	before, innocent := children(t, target), children(t, twin)
	r := run(t, fmt.Sprintf("{pid: %d, name: bash}", target), `chaos:
  - fault: {signal: KILL}
    when: {after: 1s, every: 900ms, times: 3}
  - fault: {signal: USR1}
    when: {after: 1300ms, every: 900ms, times: 3}
  - fault: {pause: 100ms}
    when: {after: 1600ms, every: 900ms, times: 3}
`)
	g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
	g.Expect(r.Cause).To(ContainSubstring("that anybody answers was not tested"))
	g.Expect(children(t, target)).To(And(HaveLen(3), Not(Equal(before))))
	g.Expect(filepath.Join(dir, "signals")).To(BeAnExistingFile())
	g.Expect(children(t, twin)).To(Equal(innocent))
	g.Expect(filepath.Join(beside, "signals")).NotTo(BeAnExistingFile())
	g.Expect(procfs.Read(target)).To(HaveField("State", BeEquivalentTo('S')), "and the main process is no member")
}

// harness pauses a member for an hour.
func harness(spec string) {
	pid, dir, _ := strings.Cut(spec, ",")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	s, err := scenarios.Parse("x.yaml",
		[]byte("name: x\ntarget: {attach: {pid: "+pid+", name: bash}}\nchaos: [{fault: {pause: 1h}}]\ntimeout: 3h\n"),
		scenarios.Options{})
	if err != nil {
		panic(err)
	}
	if _, err = s.Run(ctx, scenarios.RunOptions{Dir: dir, Consent: yes}); err != nil {
		panic(err)
	}
	os.Exit(0)
}

func TestATargetGoesOnWhateverBecomesOfTheHarness(t *testing.T) {
	takes.Seconds(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			g := NewWithT(t)
			target, _ := start(t)
			before := children(t, target)
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), fmt.Sprintf("RESPAWN_TEST_ATTACH=%d,%s", target, t.TempDir()))
			cmd.Stderr = os.Stderr
			g.Expect(cmd.Start()).To(Succeed())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			paused := func() (n int) {
				for _, pid := range before {
					if s, err := procfs.Stopped(pid); err == nil && s {
						n++
					}
				}
				return n
			}
			g.Eventually(paused).WithTimeout(30 * time.Second).Should(Equal(1))
			g.Expect(cmd.Process.Signal(sig)).To(Succeed())
			g.Eventually(paused).WithTimeout(30 * time.Second).Should(BeZero())
			_ = cmd.Wait()
			g.Expect(children(t, target)).To(Equal(before), "and all of them live")
		})
	}
}

func open(t *testing.T, s attach.Settings) (*attach.Target, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	a, err := attach.Open(ctx, &s, kind.Place{Consent: yes})
	if err == nil {
		t.Cleanup(a.Stop)
	}
	return a, err
}

func TestWhatCannotBeATargetIsSaidInOneSentence(t *testing.T) {
	target, dir := start(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		NewWithT(t).Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
		return path
	}
	gone := exec.Command("true")
	NewWithT(t).Expect(gone.Run()).To(Succeed())
	lone := exec.Command("sleep", "1000")
	NewWithT(t).Expect(lone.Start()).To(Succeed())
	t.Cleanup(func() { _ = lone.Process.Kill(); _ = lone.Wait() })
	own, _ := net.Listen("tcp", "127.0.0.1:0")
	t.Cleanup(func() { own.Close() })
	port := own.Addr().(*net.TCPAddr).Port
	for name, c := range map[string]struct {
		s    attach.Settings
		want string
	}{
		"gone": {attach.Settings{PID: units.Count(gone.Process.Pid), Name: "true"}, "is gone: nobody has that number"},
		"recycled": {
			attach.Settings{PID: units.Count(target), Name: "nginx"},
			"runs bash and not nginx: the number has passed to another process",
		},
		"rubbish": {
			attach.Settings{Pidfile: file("rubbish", "no number\n")},
			`holds "no number": want the number of a process`,
		},
		"no pidfile": {
			attach.Settings{Pidfile: filepath.Join(dir, "none")},
			"the pidfile cannot be read: open ",
		},
		"pidfile of nobody": {
			attach.Settings{Pidfile: file("gone", strconv.Itoa(gone.Process.Pid))},
			"is gone: nobody has that number",
		},
		"init": {
			attach.Settings{Pidfile: file("init", "1")},
			"pid 1 must not be a victim: it is init, this process or an ancestor of it",
		},
		"ourselves": {
			attach.Settings{Pidfile: file("self", strconv.Itoa(os.Getpid()))},
			"it is init, this process or an ancestor of it",
		},
		"our parent": {
			attach.Settings{Pidfile: file("parent", strconv.Itoa(os.Getppid()))},
			"it is init, this process or an ancestor of it",
		},
		"our own":        {attach.Settings{Port: units.Count(port)}, "it is init, this process or an ancestor of it"},
		"nobody listens": {attach.Settings{Port: 1}, "nobody listens at port 1"},
		"nobody of it":   {attach.Settings{PID: units.Count(lone.Process.Pid), Name: "sleep"}, ": there are none"},
		"nothing matches": {attach.Settings{
			PID: units.Count(target), Name: "bash", Rule: &members.Rule{Match: &members.Match{Argv: "nginx: worker"}},
		}, "there are none; below it are "},
		"everybody": {attach.Settings{Cgroup: "/"}, "is the root of all control groups, which holds everybody"},
		"no group":  {attach.Settings{Cgroup: "/no/such/group"}, "there is no control group /no/such/group here"},
		"no unit": {
			attach.Settings{Unit: "nope"},
			"no control group of a unit nope.service has processes: is it active (systemctl status nope.service)?",
		},
		"no container": {
			attach.Settings{Container: "nope"},
			"no container of docker, podman, runc or crun is named nope",
		},
		"no name": {
			attach.Settings{Name: "no-such-program", Owner: "root"},
			"no process of root is named no-such-program",
		},
		"another's": {attach.Settings{PID: units.Count(target), Name: "bash", Owner: "nobody"}, "belongs to "},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, err := open(t, c.s)
			g.Expect(err).To(MatchError(And(HavePrefix("what the scenario attaches to cannot be a target: "),
				ContainSubstring(c.want))))
			g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
		})
	}
	NewWithT(t).Expect(children(t, target)).To(HaveLen(3), "nothing was harmed")
	_, err := attach.Open(t.Context(), &attach.Settings{PID: units.Count(target), Name: "bash"}, kind.Place{})
	NewWithT(t).Expect(err).To(MatchError(attach.ErrNoConsent))
}

func TestAPidfileIsReadAgainWhenItsProcessIsGone(t *testing.T) {
	g := NewWithT(t)
	first, dir := start(t)
	path := filepath.Join(dir, "pid")
	g.Expect(os.WriteFile(path, []byte(strconv.Itoa(first)+"\n"), 0o600)).To(Succeed())
	a, err := open(t, attach.Settings{Pidfile: path})
	g.Expect(err).NotTo(HaveOccurred())
	pids := func() (list []int) {
		members, err := a.Members(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		for _, m := range members {
			list = append(list, m.PID)
		}
		slices.Sort(list)
		return list
	}
	g.Expect(pids()).To(Equal(children(t, first)))
	second, _ := start(t)
	g.Expect(os.WriteFile(path, []byte(strconv.Itoa(second)+"\n"), 0o600)).To(Succeed())
	g.Eventually(pids).WithTimeout(20 * time.Second).Should(Equal(children(t, second)))
}

// Who is not yet a second old, runs another program, or was stopped by somebody else, may be a member; a victim it is
// not.
func TestNotEveryMemberIsAVictim(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	target, _ := start(t)
	a, err := open(t, attach.Settings{PID: units.Count(target), Name: "bash"})
	g.Expect(err).NotTo(HaveOccurred())
	old := children(t, target)[0]
	g.Eventually(func() error { return a.Strikable(chaos.Member{PID: old}) }).WithTimeout(20 * time.Second).
		Should(Succeed())
	g.Expect(syscall.Kill(old, syscall.SIGSTOP)).To(Succeed())
	g.Eventually(func() error { return a.Strikable(chaos.Member{PID: old}) }).
		Should(MatchError(ContainSubstring("somebody else has stopped")))
	g.Expect(syscall.Kill(old, syscall.SIGCONT)).To(Succeed())

	other := exec.Command("sleep", "1000")
	g.Expect(other.Start()).To(Succeed())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	g.Expect(a.Strikable(chaos.Member{PID: other.Process.Pid})).
		To(MatchError(ContainSubstring("which no member ran when the run began")))
	g.Expect(a.Strikable(chaos.Member{PID: 1})).To(MatchError(ContainSubstring("it is init")))
	g.Expect(a.Strikable(chaos.Member{PID: os.Getppid()})).To(MatchError(ContainSubstring("an ancestor of it")))
	kernel := 2 // kthreadd, where it can be seen
	if p, err := procfs.Read(kernel); err == nil && p.Kernel {
		g.Expect(a.Strikable(chaos.Member{PID: kernel})).To(MatchError(ContainSubstring("a thread of the kernel")))
	}
	var young int
	g.Eventually(func() error { // on a busy host one may be old before it is looked at
		before := children(t, target)
		g.Expect(syscall.Kill(before[0], syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() bool {
			young = 0
			for _, pid := range children(t, target) {
				if !slices.Contains(before, pid) {
					young = pid
				}
			}
			return young > 0
		}).WithTimeout(20 * time.Second).WithPolling(time.Millisecond).Should(BeTrue())
		return a.Strikable(chaos.Member{PID: young})
	}).WithTimeout(time.Minute).Should(MatchError(ContainSubstring("is younger than 1s")))
	g.Eventually(func() error { return a.Strikable(chaos.Member{PID: young}) }).WithTimeout(20 * time.Second).
		Should(Succeed())
}

// A control group of its own, as a unit or a container has one.
func TestMembersOfAControlGroup(t *testing.T) {
	g := NewWithT(t)
	target, _ := start(t)
	var dir string
	for _, hierarchy := range []string{
		"/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup/unified",
	} {
		at := filepath.Join(hierarchy, fmt.Sprintf("attach-test-%d.slice/mine.service", os.Getpid()))
		if os.MkdirAll(at, 0o755) == nil {
			if _, err := os.Stat(filepath.Join(at, "cgroup.procs")); err == nil {
				dir = at
				break
			}
			_ = os.Remove(at)
			_ = os.Remove(filepath.Dir(at))
		}
	}
	if dir == "" {
		t.Skip("needs a control group that can be made")
	}
	t.Cleanup(func() {
		for _, pid := range append(children(t, target), target) {
			_ = os.WriteFile(filepath.Join(filepath.Dir(filepath.Dir(dir)), "cgroup.procs"),
				[]byte(strconv.Itoa(pid)), 0)
		}
		g.Eventually(func() error { return os.Remove(dir) }).WithTimeout(10 * time.Second).Should(Succeed())
		g.Expect(os.Remove(filepath.Dir(dir))).To(Succeed())
	})
	for _, pid := range append(children(t, target), target) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			t.Skipf("needs a control group that processes can be moved to: %v", err)
		}
	}
	for _, s := range []attach.Settings{{Cgroup: dir}, {Unit: "mine.service"}, {Unit: "mine"}} {
		a, err := open(t, s)
		g.Expect(err).NotTo(HaveOccurred())
		list, err := a.Members(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		var pids []int
		for _, m := range list {
			pids = append(pids, m.PID)
		}
		g.Expect(pids).To(ConsistOf(children(t, target)))
	}
}

func TestTheHistoryTellsHowItWasAllowed(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	target, _ := start(t)
	s, err := scenarios.Parse("x.yaml", []byte(
		fmt.Sprintf("name: x\ntarget: {attach: {pid: %d, name: bash}}\nchaos: [{fault: {pause: 100ms}}]\n", target)),
		scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.LeastAlive()).To(Equal(1))
	dir := t.TempDir()
	_, err = s.Run(t.Context(), scenarios.RunOptions{Dir: dir, Consent: yes})
	g.Expect(err).NotTo(HaveOccurred())
	h, err := history.Open(filepath.Join(dir, scenarios.HistoryFile))
	g.Expect(err).NotTo(HaveOccurred())
	defer h.Close()
	g.Expect(h.Header.Consent).To(Equal("a test"))
}

// prefork is a server of two processes that share a socket, with one that replaces them.
const prefork = `
import json, os, socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
def worker():
    if os.fork() == 0:
        while True:
            c, _ = s.accept()
            c.recv(4096)
            body = json.dumps({"pid": os.getpid()})
            c.sendall(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
            c.close()
worker()
worker()
print(s.getsockname()[1], flush=True)
while True:
    os.wait()
    worker()
`

func TestAServerIsFoundByItsPortAndAnswersByNumber(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	cmd := exec.Command(python, "-c", prefork)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	var port int
	_, err = fmt.Fscan(out, &port)
	g.Expect(err).NotTo(HaveOccurred())
	r := run(t, fmt.Sprintf("{port: %d}", port), fmt.Sprintf(`
load: {http: {url: "http://127.0.0.1:%d/", answered_by: {json: pid}}, concurrency: 2}
chaos: [{fault: {signal: KILL}, when: {after: 1200ms, every: 300ms, times: 2}}]
expect: [allow tasks.lost <= 2, slots.silent == 0]
`, port))
	g.Expect(r.Verdict).To(Equal(check.Pass), r.Cause)
	g.Expect(r.Cause).To(ContainSubstring("every slot back within"))
	g.Expect(procfs.Read(cmd.Process.Pid)).To(HaveField("State", BeEquivalentTo('S')))
}
