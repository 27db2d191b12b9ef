package pool

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// Guardian is the parent's handle on a guardian process. A guardian that dies is replaced. Safe for concurrent use.
// A pool has one of its own; a harness that stops or throttles processes starts another as its dead man's switch.
type Guardian struct {
	id   string
	warn func(msg string, args ...any) // what its user should know

	mu      sync.Mutex
	lines   map[string]string // what the guardian must know, by key: sent again to a replacement
	pipe    *os.File
	pid     int      // 0 while there is none
	pidfd   *os.File // its own
	closed  bool
	deaf    bool          // one was killed because it did not read
	closing chan struct{} // closed by Close
	gone    chan struct{} // closed when the last guardian has been reaped after Close
}

// StartGuardian starts a guardian that ends everything whose environment carries RESPAWN_POOL=id, and what it is told to
// watch, once this process is gone. Close it. Only the process that will be guarded may call it, after Main; before, the
// error is ErrMainNotCalled, since the guardian is a copy of this program.
func StartGuardian(id string) (*Guardian, error) {
	return startGuardian(id, func(string, ...any) {})
}

func startGuardian(id string, warn func(msg string, args ...any)) (*Guardian, error) {
	if !mainCalled.Load() {
		return nil, ErrMainNotCalled
	}
	g := &Guardian{
		id: id, warn: warn, lines: map[string]string{"of": fmt.Sprintf("of %d\n", os.Getpid())},
		closing: make(chan struct{}), gone: make(chan struct{}),
	}
	exited, err := g.start()
	if err != nil {
		return nil, fmt.Errorf("pool: start the guardian: %w", err)
	}
	go g.tend(exited)
	return g, nil
}

// start starts a guardian process, tells it everything it must know, and returns its pidfd.
func (g *Guardian) start() (*os.File, error) {
	r, w, err := os.Pipe() // close-on-exec: no worker keeps the guardian from seeing the end
	if err != nil {
		return nil, err
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		w.Close()
		return nil, err
	}
	defer null.Close()
	host, err := openSelf()
	if err != nil {
		w.Close()
		return nil, err
	}
	defer host.Close()
	pidfd := -1
	proc, err := os.StartProcess("/proc/self/exe", []string{"respawn-guardian"}, &os.ProcAttr{
		Env:   guardianEnv(os.Environ(), g.id),
		Files: []*os.File{r, null, null, host},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd, Pdeathsig: syscall.SIGCONT}, // should it be stopped then
	})
	if err != nil {
		w.Close()
		return nil, err
	}
	if pidfd < 0 {
		w.Close()
		_ = proc.Kill()
		_, _ = proc.Wait()
		return nil, errNoPidfd
	}
	pid := proc.Pid
	_ = proc.Release()
	_ = unix.SetNonblock(pidfd, true)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid, g.pidfd, g.pipe = pid, os.NewFile(uintptr(pidfd), "guardian"), w
	for line := range maps.Values(g.lines) {
		g.send(line)
	}
	return g.pidfd, nil
}

// guardianEnv is the environment of a guardian: this process's, which the program may need to start, and its own, without what
// would make it a worker or part of a pool.
func guardianEnv(base []string, id string) []string {
	base = slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		return strings.HasPrefix(kv, envPool+"=") || strings.HasPrefix(kv, envWorker+"=")
	})
	base = append(base, envGuardian+"="+id, "GOMAXPROCS=1", "GOGC=20", "GOMEMLIMIT=16MiB", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return (&exec.Cmd{Env: base}).Environ()
}

// guardianSettles is how long a guardian must have lived for the next one to be started at once.
const guardianSettles = time.Second

// watchStops kills the guardian when it has been stopped: one that only waits is of no use, and another takes its place.
func (g *Guardian) watchStops(pidfd *os.File, exited <-chan struct{}) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-exited:
			return
		case <-look.C:
		}
		if sig := stoppedBy(pidfd); sig != 0 {
			g.warn("the guardian was stopped and is replaced", "pid", g.PID(), "signal", unix.SignalName(sig))
			_ = signalPidfd(pidfd, unix.SIGKILL, 0)
		}
	}
}

// tend reaps the guardian, and unless it was closed starts another one, with a pause that grows while they die young.
func (g *Guardian) tend(pidfd *os.File) {
	defer close(g.gone)
	for pause := time.Duration(0); ; {
		began, exited, watched := time.Now(), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(watched)
			g.watchStops(pidfd, exited)
		}()
		_ = awaitExit(pidfd)
		close(exited)
		<-watched
		if time.Since(began) >= guardianSettles {
			pause = 0
		}
		awaitReapable(pidfd, g.PID())
		g.mu.Lock()
		pid, st := g.pid, reapPidfd(pidfd)
		g.pid = 0
		pidfd.Close()
		g.pipe.Close()
		if !g.closed {
			g.warn("the guardian died, another is started", "pid", pid, "code", st.code, "signal", unix.SignalName(st.signal))
		}
		g.mu.Unlock()
		for started := false; !started; pause = longer(pause) {
			select {
			case <-g.closing:
				return
			case <-time.After(pause):
			}
			var err error
			pidfd, err = g.start()
			if started = err == nil; !started {
				g.warn("the guardian cannot be started: nobody ends the workers should this process be killed", "err", err)
			}
		}
		g.mu.Lock()
		if g.closed { // it was closed while there was no guardian to say bye to
			g.send("bye\n")
		}
		g.mu.Unlock()
	}
}

func longer(pause time.Duration) time.Duration {
	return min(2*pause+10*time.Millisecond, 5*time.Second)
}

// tell remembers a line under a key and sends it; an empty line forgets the key and sends last instead.
func (g *Guardian) tell(key, line, last string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	send := line
	if line == "" {
		delete(g.lines, key)
		send = last
	} else {
		g.lines[key] = line
	}
	if g.pid == 0 {
		return nil // its replacement will be told
	}
	g.send(send)
	return nil // a dead guardian's replacement will be told
}

// send writes to the guardian, and kills one that does not read. The lock is held.
func (g *Guardian) send(line string) {
	_ = g.pipe.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(g.pipe, line); errors.Is(err, os.ErrDeadlineExceeded) {
		g.deaf = true
		_ = signalPidfd(g.pidfd, unix.SIGKILL, 0)
	}
}

// Watch makes the guardian end the process group that pid leads, and everything in the cgroup of that directory ("": none).
func (g *Guardian) Watch(pid int, cgroupDir string) error {
	version := 0
	if cgroupDir != "" {
		version = cgroup.DirVersion(cgroupDir)
	}
	return g.tell("watch "+strconv.Itoa(pid), watchLine(pid, version, cgroupDir), "")
}

// Forget takes Watch back; call it once pid is reaped and its group empty.
func (g *Guardian) Forget(pid int) {
	_ = g.tell("watch "+strconv.Itoa(pid), "", fmt.Sprintf("forget %d\n", pid))
}

// Continue makes the guardian send SIGCONT to pid when this process is gone, until the returned function is called.
func (g *Guardian) Continue(pid int) (done func(), err error) {
	key := strconv.Itoa(pid)
	return func() { _ = g.tell("cont "+key, "", "done "+key+"\n") }, g.tell("cont "+key, "cont "+key+"\n", "")
}

// Undo makes the guardian write value to the file when this process is gone, until the returned function is called. The
// path must not contain white space.
func (g *Guardian) Undo(path, value string) (done func(), err error) {
	if strings.ContainsAny(path, " \t\n") || strings.Contains(value, "\n") || len(path)+len(value) > unix.PathMax {
		return nil, fmt.Errorf("pool: undo %.100q: no white space in the path, no line breaks in the value, and both shorter than %d bytes", path, unix.PathMax)
	}
	return func() { _ = g.tell("undo "+path, "", "done "+path+"\n") }, g.tell("undo "+path, "undo "+path+" "+value+"\n", "")
}

// Remove makes the guardian remove a directory with all that is in it when this process is gone and everything is killed,
// until the returned function is called. The directory may be made later. After a second the guardian leaves what it cannot
// remove. The path must not contain line breaks. Cgroups that this process made are removed without being named.
// A path named twice is kept as soon as either function is called.
func (g *Guardian) Remove(path string) (done func(), err error) {
	if path == "" || strings.ContainsAny(path, "\r\n") || len(path) > unix.PathMax {
		return nil, fmt.Errorf("pool: remove %.100q: want a path without line breaks, of at most %d bytes", path, unix.PathMax)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("pool: remove: %w", err)
	}
	if here, err := os.Getwd(); err == nil && (path == "/" || here == path || strings.HasPrefix(here, path+"/")) {
		return nil, fmt.Errorf("pool: remove %s: this process is in it", path)
	}
	key := "remove " + path
	return func() { _ = g.tell(key, "", "keep "+path+"\n") }, g.tell(key, key+"\n", "")
}

// PID is the guardian's process now; 0 while it is being replaced.
func (g *Guardian) PID() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pid
}

// Close ends the guardian without it doing anything, and waits until it is gone; one that does not go within a second is
// killed. Closing twice is fine.
func (g *Guardian) Close() error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.closing)
		if g.pid != 0 {
			g.send("bye\n")
		}
	}
	g.mu.Unlock()
	select {
	case <-g.gone:
	case <-time.After(time.Second): // stopped, perhaps
		g.mu.Lock()
		if g.pid != 0 {
			_ = signalPidfd(g.pidfd, unix.SIGKILL, 0)
		}
		g.mu.Unlock()
		<-g.gone
	}
	return nil
}

func (p *Pool) startGuardian() error {
	if p.cfg.mutant == mutantNoGuardian || !p.real {
		return nil
	}
	g, err := startGuardian(p.id, p.warn)
	if err == nil {
		p.guardian = g
	}
	return err
}

// sweep ends what the workers of a pool that is over have left behind: everything that carries its marker.
func (p *Pool) sweep() {
	if p.real {
		killAllMarked([]byte(envPool + "=" + p.id))
	}
}
