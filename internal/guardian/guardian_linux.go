package guardian

import (
	"crypto/rand"
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
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/reexec"
)

// Guardian is the parent's handle on a guardian process. A guardian that dies is replaced. Safe for concurrent use.
// A pool has one of its own; a harness that stops or throttles processes starts another as its dead man's switch.
type Guardian struct {
	id   string
	warn func(msg string, args ...any) // what its user should know

	mu      sync.Mutex
	lines   map[string]string // what the guardian must know, by key: sent again to a replacement
	pipe    *os.File
	answers *os.File        // what the guardian says: a word for each order to continue, once it holds the process
	said    map[string]bool // words that nobody has asked for yet
	half    string          // of a word that has not come to its end
	pid     int             // 0 while there is none
	pidfd   *os.File        // its own
	closed  bool
	deaf    bool          // one was killed because it did not read
	closing chan struct{} // closed by Close
	gone    chan struct{} // closed when the last guardian has been reaped after Close
}

// Start starts a guardian that ends everything whose environment carries RESPAWN_POOL=id, and what it is told to
// watch, once this process is gone. Close it. warn, which may be nil, is told what its user should know, with pairs of
// keys and values. Only the process that will be guarded may call it, after reexec.Main; before, the error is
// reexec.ErrMainNotCalled, since the guardian is a copy of this program.
func Start(id string, warn func(msg string, args ...any)) (*Guardian, error) {
	if warn == nil {
		warn = func(string, ...any) {}
	}
	g := &Guardian{
		id: id, warn: warn, lines: map[string]string{"of": fmt.Sprintf("of %d\n", os.Getpid())},
		closing: make(chan struct{}), gone: make(chan struct{}),
	}
	exited, err := g.start()
	if err != nil {
		return nil, fmt.Errorf("start the guardian: %w", err)
	}
	go g.tend(exited)
	return g, nil
}

// start starts a guardian process, tells it everything it must know, and returns its pidfd.
func (g *Guardian) start() (*os.File, error) {
	marker, err := reexec.Guardian.Marker(g.id)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe() // close-on-exec: no worker keeps the guardian from seeing the end
	if err != nil {
		return nil, err
	}
	defer r.Close()
	answers, said, err := os.Pipe()
	if err != nil {
		w.Close()
		return nil, err
	}
	defer said.Close()
	started := false
	defer func() {
		if !started {
			w.Close()
			answers.Close()
		}
	}()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	host, err := pidfd.Self()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	fd := -1
	proc, err := os.StartProcess(reexec.Program, []string{"respawn-guardian"}, &os.ProcAttr{
		Env:   environment(os.Environ(), marker),
		Files: []*os.File{r, said, null, host},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &fd, Pdeathsig: syscall.SIGCONT}, // should it be stopped then
	})
	if err != nil {
		return nil, err
	}
	pid := proc.Pid
	held, err := pidfd.Born(proc, fd)
	if err != nil {
		return nil, err
	}
	started = true

	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid, g.pidfd, g.pipe, g.answers, g.said, g.half = pid, held, w, answers, map[string]bool{}, ""
	for line := range maps.Values(g.lines) {
		g.send(line)
	}
	return g.pidfd, nil
}

// environment is the environment of a guardian: this process's, which the program may need to start, and its own,
// without what would make it a worker or part of a pool.
func environment(base []string, marker string) []string {
	base = slices.DeleteFunc(slices.Clone(base), func(kv string) bool {
		return strings.HasPrefix(kv, reexec.Pool+"=") || strings.HasPrefix(kv, reexec.Worker.Env+"=")
	})
	base = append(base, marker, "GOMAXPROCS=1", "GOGC=20", "GOMEMLIMIT=16MiB",
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return (&exec.Cmd{Env: base}).Environ()
}

// settles is how long a guardian must have lived for the next one to be started at once.
const settles = time.Second

// watchStops kills the guardian when it has been stopped: one that only waits is of no use, and another takes its
// place.
func (g *Guardian) watchStops(held *os.File, exited <-chan struct{}) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-exited:
			return
		case <-look.C:
		}
		if sig := pidfd.StoppedBy(held); sig != 0 {
			g.warn("the guardian was stopped and is replaced", "pid", g.PID(), "signal", unix.SignalName(sig))
			_ = pidfd.Signal(held, unix.SIGKILL, 0)
		}
	}
}

// tend reaps the guardian, and unless it was closed starts another one, with a pause that grows while they die young.
func (g *Guardian) tend(held *os.File) {
	defer close(g.gone)
	for pause := time.Duration(0); ; {
		began, exited, watched := time.Now(), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(watched)
			g.watchStops(held, exited)
		}()
		_ = pidfd.Await(held)
		close(exited)
		<-watched
		if time.Since(began) >= settles {
			pause = 0
		}
		pidfd.AwaitReapable(held, g.PID())
		g.mu.Lock()
		pid, st := g.pid, pidfd.Reap(held)
		g.pid = 0
		held.Close()
		g.pipe.Close()
		g.answers.Close()
		if !g.closed {
			g.warn("the guardian died, another is started", "pid", pid, "code", st.Code, "signal",
				unix.SignalName(st.Signal))
		}
		g.mu.Unlock()
		for started := false; !started; pause = longer(pause) {
			select {
			case <-g.closing:
				return
			case <-time.After(pause):
			}
			var err error
			held, err = g.start()
			if started = err == nil; !started {
				g.warn("the guardian cannot be started: nobody ends the workers should this process be killed",
					"err", err)
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
		_ = pidfd.Signal(g.pidfd, unix.SIGKILL, 0)
	}
}

// Watch makes the guardian end the process group that pid leads, and everything in the cgroup of that directory ("":
// none).
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

// heldTimeout bounds how long a guardian, or its replacement, may take to take hold of a process.
const heldTimeout = 10 * time.Second

// Continue makes the guardian send SIGCONT to pid when this process is gone, until the returned function is called. It
// returns only once the guardian has said that it holds the process: whoever stops the process after that may be killed
// at once, and the process goes on. The error tells that nobody holds it.
func (g *Guardian) Continue(pid int) (done func(), err error) {
	key, word := strconv.Itoa(pid), rand.Text()
	done = func() { _ = g.tell("cont "+key, "", "done "+key+"\n") }
	if err := g.tell("cont "+key, "cont "+key+" "+word+"\n", ""); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(heldTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if g.hears(word) {
			return done, nil
		}
	}
	done()
	return nil, fmt.Errorf("guardian: nobody has taken hold of process %d within %v", pid, heldTimeout)
}

// hears tells whether the guardian that there is now has said that word, and waits a moment for it.
func (g *Guardian) hears(word string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid == 0 {
		return false
	}
	_ = g.answers.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	for heard := make([]byte, 512); !g.said[word]; {
		n, err := g.answers.Read(heard)
		lines := strings.Split(g.half+string(heard[:n]), "\n")
		for g.half = lines[len(lines)-1]; len(lines) > 1; lines = lines[1:] {
			g.said[lines[0]] = true
		}
		if err != nil {
			return g.said[word]
		}
	}
	delete(g.said, word)
	return true
}

// Undo makes the guardian write value to the file when this process is gone, until the returned function is called. The
// path must not contain white space.
func (g *Guardian) Undo(path, value string) (done func(), err error) {
	if strings.ContainsAny(path, " \t\n") || strings.Contains(value, "\n") || len(path)+len(value) > unix.PathMax {
		return nil, fmt.Errorf("guardian: undo %.100q: no white space in the path, no line breaks in the value, and "+
			"both shorter than %d bytes", path, unix.PathMax)
	}
	return func() { _ = g.tell("undo "+path, "", "done "+path+"\n") }, g.tell("undo "+path,
		"undo "+path+" "+value+"\n", "")
}

// Remove makes the guardian remove a directory with all that is in it when this process is gone and everything is
// killed, until the returned function is called. The directory may be made later. After a second the guardian leaves
// what it cannot remove. The path must not contain line breaks. Cgroups that this process made are removed without
// being named. A path named twice is kept as soon as either function is called.
func (g *Guardian) Remove(path string) (done func(), err error) {
	if path == "" || strings.ContainsAny(path, "\r\n") || len(path) > unix.PathMax {
		return nil, fmt.Errorf("guardian: remove %.100q: want a path without line breaks, of at most %d bytes",
			path, unix.PathMax)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("guardian: remove: %w", err)
	}
	if here, err := os.Getwd(); err == nil && (path == "/" || here == path || strings.HasPrefix(here, path+"/")) {
		return nil, fmt.Errorf("guardian: remove %s: this process is in it", path)
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

// Deaf tells whether one of its processes was killed because it did not read what it was told.
func (g *Guardian) Deaf() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deaf
}

// Close ends the guardian without it doing anything, and waits until it is gone; one that does not go within a second
// is killed. Closing twice is fine.
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
			_ = pidfd.Signal(g.pidfd, unix.SIGKILL, 0)
		}
		g.mu.Unlock()
		<-g.gone
	}
	return nil
}
