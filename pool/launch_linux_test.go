package pool_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/refuse"
	"github.com/respawn-go/respawn/pool"

	"golang.org/x/sys/unix"

	. "github.com/onsi/gomega"
)

func TestAReplacementStartsWithWhatNewSaw(t *testing.T) {
	for _, tc := range []struct {
		name string
		dir  string // of Config
		then func(g *WithT, home, sub string)
	}{
		{"a relative directory", "sub", func(g *WithT, _, _ string) { g.Expect(os.Chdir("/")).To(Succeed()) }},
		{"no directory", "", func(g *WithT, _, _ string) { g.Expect(os.Chdir("/")).To(Succeed()) }},
		{
			"a directory that is renamed", "sub",
			func(g *WithT, _, sub string) { g.Expect(os.Rename(sub, sub+"2")).To(Succeed()) },
		},
		{
			"a directory that is removed", "sub",
			func(g *WithT, _, sub string) { g.Expect(os.Remove(sub)).To(Succeed()) },
		},
		{
			"the directory that it is in, removed", "",
			func(g *WithT, home, _ string) { g.Expect(os.RemoveAll(home)).To(Succeed()) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, home := NewWithT(t), t.TempDir()
			g.Expect(os.Mkdir(filepath.Join(home, "sub"), 0o700)).To(Succeed())
			t.Chdir(home)
			t.Setenv("FLAVOUR", "first")
			p := start(t, pool.Config{Size: 1, Dir: tc.dir})
			was, err := placeOf.Call(bound(t), p, "FLAVOUR")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(was).To(HavePrefix("first "))

			t.Setenv("FLAVOUR", "second")
			tc.then(g, home, filepath.Join(home, "sub"))
			kill(t, pids(p)[0], syscall.SIGKILL)
			whole(t, p)
			g.Expect(placeOf.Call(bound(t), p, "FLAVOUR")).To(Equal(was))
		})
	}
}

// placeOf tells a variable, and the identity of the directory that the worker is in.
var placeOf = pool.Register("place-of", func(_ context.Context, key string) (string, error) {
	var st unix.Stat_t
	err := unix.Stat(".", &st)
	return os.Getenv(key) + " " + strconv.FormatUint(st.Ino, 10), err
})

func TestWhatAStartLacksIsToldByNew(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	plain := filepath.Join(dir, "plain")
	g.Expect(os.WriteFile(plain, []byte("no program"), 0o600)).To(Succeed())
	for field, cfg := range map[string]pool.Config{
		"Config.Program": {Program: plain}, "Program: exec: \"not-there\"": {Program: "not-there"},
		"Config.Program: ": {Program: dir}, "Config.Dir is": {Dir: plain},
		"Config.Dir: ": {Dir: filepath.Join(dir, "gone")},
	} {
		_, err := pool.New(bound(t), cfg)
		g.Expect(err).To(MatchError(ContainSubstring(field)))
		g.Expect(err).NotTo(MatchError(pool.ErrCrashLoop))
	}
}

func TestRestartAfterADeployStartsTheNewProgram(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	deploy := func(flavour string) {
		script := "#!/bin/sh\nFLAVOUR=" + flavour + " exec " + testProgram(g) + "\n"
		g.Expect(os.WriteFile(filepath.Join(dir, "new"), []byte(script), 0o700)).To(Succeed())
		g.Expect(os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "program"))).To(Succeed())
	}
	deploy("old")
	t.Chdir(dir)
	p := start(t, pool.Config{Size: 2, Program: "./program"})
	g.Expect(getenv.Call(bound(t), p, "FLAVOUR", pool.OnSlot(1))).To(HavePrefix("old|"))
	deploy("new")
	t.Chdir("/")
	g.Expect(p.Restart(bound(t))).To(Succeed())
	for slot := range 2 {
		g.Expect(getenv.Call(bound(t), p, "FLAVOUR", pool.OnSlot(slot))).To(HavePrefix("new|"))
	}
}

func TestAProgramThatIsAnotherIsToldByNew(t *testing.T) {
	beside(t)
	g := NewWithT(t)
	_, err := pool.New(bound(t), pool.Config{Size: 1, Program: "false", Backoff: pool.Backoff{Base: time.Millisecond}})
	g.Expect(err).To(MatchError(pool.ErrCrashLoop))
	g.Expect(err).To(MatchError(ContainSubstring("exited before it was ready")))
}

// envNews makes this program one that makes a pool of twelve workers, tells how that went, and closes it.
const envNews = "POOL_TEST_NEWS"

func init() {
	otherMains[envNews] = func(string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p, err := pool.New(ctx, pool.Config{Size: 12})
		if err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(0)
		}
		os.Stdout.WriteString("ready")
		p.Close()
		os.Exit(0)
	}
}

func TestALimitOfTheHostThatNoRetryLiftsEndsNewAtOnceWithWhatItIs(t *testing.T) {
	beside(t)
	limits := map[string][]string{
		"ulimit -n 60;":   {"too many open files", "ulimit -n", "Config.Size"},
		"ulimit -n 10;":   {"guardian", "too many open files", "ulimit -n"},
		"ulimit -f 1000;": {"file too large", "ulimit -f", "Config.MaxPayload"},
	}
	if !raceEnabled { // whose shadow memory is over any limit of this kind
		limits["ulimit -v 12000000;"] = []string{"cannot allocate memory", "ulimit -v", "Config.MaxPayload"}
	}
	for limit, words := range limits {
		g := NewWithT(t)
		began := time.Now()
		said, _, err := alone(t, limit, envNews, "yes")
		g.Expect(err).NotTo(HaveOccurred())
		for _, word := range words {
			g.Expect(said).To(ContainSubstring(word), limit)
		}
		g.Expect(said).NotTo(Or(ContainSubstring("deadline"), ContainSubstring("do not come up")), limit)
		g.Expect(time.Since(began)).To(BeNumerically("<", patience/2), limit)
	}
}

func TestWhatAContainerLacksIsToldByNew(t *testing.T) {
	beside(t)
	if err := exec.CommandContext(t.Context(), "unshare", "-rm", "mount", "-t", "tmpfs", "none",
		"/mnt").Run(); err != nil {
		t.Skipf("needs a mount namespace: %v", err)
	}
	for _, dir := range []string{"/proc", "/dev"} {
		g := NewWithT(t)
		said, _, err := alone(t, `exec unshare -rm sh -c 'mount -t tmpfs none `+dir+` && exec "$0"' "$0";`,
			envNews, "yes")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(said).To(And(ContainSubstring("no such file"),
			ContainSubstring("a pool needs /dev/null, and /proc of the pid namespace")), dir)
		g.Expect(said).NotTo(ContainSubstring("deadline"), dir)
	}
}

// envHumbled makes this program a host that gives up its rights after New, and tells what becomes of its worker's
// replacement in that directory.
const envHumbled = "POOL_TEST_HUMBLED"

func init() {
	otherMains[envHumbled] = func(dir string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		p, err := pool.New(ctx, pool.Config{Size: 1, Dir: dir, Backoff: pool.Backoff{Threshold: 1}})
		if err != nil {
			panic(err)
		}
		const nobody = 65534
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			panic(err)
		}
		_, err = die.Call(ctx, p, "exit 42")
		fmt.Println(err)
		os.Exit(0)
	}
}

// The rights of a start are the host's of then, as docs/decisions say, and New's are not kept.
func TestARightThatTheHostGaveUpIsTold(t *testing.T) {
	beside(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, which can give up rights")
	}
	g, dir := NewWithT(t), t.TempDir()
	g.Expect(os.Chmod(dir, 0o700)).To(Succeed())
	said, _, err := alone(t, "", envHumbled, dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(said).To(And(ContainSubstring("permission denied: user 65534 may not run the program, or not enter"),
		ContainSubstring("Config.Dir")))
}

// envRefused makes this program one that is refused memfds, as by a container's filter, and tells what New says.
const envRefused = "POOL_TEST_REFUSED"

func init() {
	otherMains[envRefused] = func(string) {
		if err := refuse.Everywhere(unix.SYS_MEMFD_CREATE); err != nil {
			os.Stdout.WriteString("no filter: " + err.Error())
			os.Exit(0)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := pool.New(ctx, pool.Config{Size: 2})
		os.Stdout.WriteString("New: " + fmt.Sprint(err))
		os.Exit(0)
	}
}

func TestMemoryFilesThatAreRefusedAreToldByNew(t *testing.T) {
	beside(t)
	g := NewWithT(t)
	said, _, err := alone(t, "", envRefused, "yes")
	g.Expect(err).NotTo(HaveOccurred())
	if strings.HasPrefix(said, "no filter") {
		t.Skip("needs seccomp filters: ", said)
	}
	g.Expect(said).To(And(ContainSubstring("operation not permitted"), ContainSubstring("allow memfd_create")))
	g.Expect(said).NotTo(Or(ContainSubstring("deadline"), ContainSubstring("do not come up")))
}

// envSuccessor makes this program a host that becomes another one, without closing its pool, or that other one.
const envSuccessor = "POOL_TEST_SUCCESSOR"

func init() {
	otherMains[envSuccessor] = func(which string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		p, err := pool.New(ctx, pool.Config{Size: 2})
		if err != nil {
			panic(err)
		}
		if which == "first" {
			sleep.Submit(ctx, p, patience)
			os.Setenv(envSuccessor, "second")
			panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
		}
		_, err = square.Call(ctx, p, 3)
		fmt.Println("works:", err, p.Close())
		alive := -1
		for ; alive != 0 && ctx.Err() == nil; <-time.After(5 * time.Millisecond) {
			alive = 0
			for _, pid := range children() {
				if isAlive(pid) {
					alive++
				}
			}
		}
		fmt.Println("alive:", alive)
		os.Exit(0)
	}
}

// What it leaves are zombies, as the documentation of Close says.
func TestNobodyOutlivesAProgramThatBecomesAnotherOne(t *testing.T) {
	beside(t)
	g := NewWithT(t)
	said, _, err := alone(t, "", envSuccessor, "first")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(said).To(Equal("works: <nil> <nil>\nalive: 0\n"))
}

func TestAWorkersMarkerThatLeakedIntoAnotherProgramIsToldOnStderr(t *testing.T) {
	g := NewWithT(t)
	_, said, err := alone(t, "", "RESPAWN_WORKER", "Worker-7")
	var exit *exec.ExitError
	g.Expect(errors.As(err, &exit)).To(BeTrue(), "%v", err)
	g.Expect(exit.ExitCode()).To(Equal(1))
	g.Expect(said).To(And(ContainSubstring("RESPAWN_WORKER=Worker-7"), ContainSubstring("unset RESPAWN_WORKER")))
}

func TestWorkersAndGuardianAreToldApartByPsAndTop(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	for _, w := range p.Workers() {
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(w.PID) + "/comm")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.TrimSpace(string(comm))).To(Equal(w.Name))
		args, err := os.ReadFile("/proc/" + strconv.Itoa(w.PID) + "/cmdline")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(args)).To(HavePrefix("respawn-worker " + w.Name))
	}
	g.Eventually(func() []string {
		var names []string
		for _, pid := range guardians(p.ID()) {
			comm, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
			names = append(names, strings.TrimSpace(string(comm)))
		}
		return names
	}).WithTimeout(patience).Should(ConsistOf("guardian"))
}

func guardians(id string) []int { return processesWith("RESPAWN_GUARDIAN=" + id) }

// envTerminal makes this program the host of a worker, in the foreground of a terminal, whose handler asks there for a
// password.
const envTerminal = "POOL_TEST_TERMINAL"

func init() {
	otherMains[envTerminal] = func(string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p, err := pool.New(ctx, pool.Config{Size: 1, Heartbeat: 500 * time.Millisecond})
		if err == nil {
			var said string
			said, err = askPassword.Call(ctx, p, 0)
			os.Stderr.WriteString("answer: " + said + "\n")
		}
		if err != nil {
			os.Stderr.WriteString("error: " + err.Error() + "\n")
		}
		os.Exit(0)
	}
}

var askPassword = pool.Register("ask-password", func(context.Context, int) (string, error) {
	out, err := exec.Command("sh", "-c", "read password </dev/tty").CombinedOutput()
	if err == nil {
		return "it was told one", nil
	}
	return "none: " + strings.TrimSpace(string(out)), nil
})

func TestAHandlersProgramThatAsksAtTheTerminalFailsAndDoesNotStopTheWorker(t *testing.T) {
	g := NewWithT(t)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)).To(Succeed())
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	g.Expect(err).NotTo(HaveOccurred())
	defer terminal.Close()

	cmd := exec.CommandContext(bound(t), testProgram(g))
	cmd.Env = append(os.Environ(), envTerminal+"=yes")
	cmd.Stdin, cmd.Stdout = terminal, terminal
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	g.Expect(cmd.Run()).To(Succeed(), said.String)
	g.Expect(said.String()).To(ContainSubstring("answer: none: "))
	g.Expect(said.String()).NotTo(ContainSubstring("error"))
}

var joinGroup = pool.Register("join-group", func(_ context.Context, of int) (string, error) {
	if err := unix.Setpgid(0, of); err != nil {
		return err.Error(), nil
	}
	return "joined", nil
})

func TestAWorkerCannotJoinTheGroupOfAnotherAndSurvivesItsEnd(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	before := pids(p)
	g.Expect(joinGroup.Call(bound(t), p, before[0], pool.OnSlot(1))).To(Equal(unix.EPERM.Error()))
	gate := closedGate(t)
	f := gated.Submit(bound(t), p, gate, pool.OnSlot(1))
	inPhase(t, p, 1, pool.PhaseRunning)
	kill(t, before[0], syscall.SIGKILL)
	g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(before[0])))
	open(t, gate)
	v, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.PID).To(Equal(before[1]))
	g.Expect(v.Attempt).To(Equal(1))
}

// possessions is what a process has of its program and of whoever started it.
type possessions struct {
	Args                     []string
	FlagsParsed              bool
	FromInit                 string
	Stdin                    string
	PID, Session, Group      int
	Terminal                 bool
	MarkedWorker, MarkedPool string
	Declared                 string
}

var (
	declared   = "as declared" // what handlers see
	fromInit   string
	possessing = pool.Register("possessing", func(context.Context, int) (possessions, error) { return possess() })
)

func init() { fromInit = "by init" }

func possess() (p possessions, err error) {
	session, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	terminal, openErr := os.Open("/dev/tty")
	if openErr == nil {
		terminal.Close()
	}
	p = possessions{
		Args: os.Args, FlagsParsed: flag.Parsed(), FromInit: fromInit, Declared: declared, PID: os.Getpid(),
		Session: int(session), Group: syscall.Getpgrp(), Terminal: openErr == nil,
		MarkedWorker: os.Getenv("RESPAWN_WORKER"), MarkedPool: os.Getenv("RESPAWN_POOL"),
	}
	p.Stdin, err = os.Readlink("/proc/self/fd/0")
	return p, err
}

// docs/workers.md promises these.
func TestAWorkerHasWhatItsProgramIsAndNotWhatMainHasDone(t *testing.T) {
	g := NewWithT(t)
	declared = "by the host"
	defer func() { declared = "as declared" }()
	p := start(t, pool.Config{Size: 1})
	has, err := possessing.Call(bound(t), p, 0)
	g.Expect(err).NotTo(HaveOccurred())
	name := p.Workers()[0].Name
	g.Expect(has).To(Equal(possessions{
		Args: []string{"respawn-worker " + name}, FromInit: "by init", Declared: "as declared", Stdin: os.DevNull,
		PID: has.PID, Session: has.PID, Group: has.PID, MarkedPool: p.ID(),
	}))
	g.Expect(has.PID).NotTo(Equal(os.Getpid()))
	g.Expect(flag.Parsed()).To(BeTrue(), "as they are here")
}
