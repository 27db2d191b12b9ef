package guardian

import (
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
)

var _ = reexec.Guardian.Serve(serve)

// serve is the life of a guardian process.
func serve(id string) {
	reexec.SetName("guardian")
	// which nobody will want to unmount; not before, since the program may need its directory to start
	_ = os.Chdir("/")
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGQUIT)
	_ = unix.CloseRange(3, 1<<16, unix.CLOSE_RANGE_CLOEXEC)
	say := func(word string) { _, _ = os.Stdout.WriteString(word + "\n") }
	if o := readOrders(stdinOf(3), hold, say); !o.bye {
		o.carryOut(id)
	}
}

// stdinOf is standard input, which ends when the process of that pidfd does.
type stdinOf int

func (host stdinOf) Read(b []byte) (int, error) {
	n, err := pidfd.ReadBeside(0, int(host), b)
	if n <= 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// hold takes hold of a process; nil if it is gone.
func hold(pid int) io.Closer {
	f, err := pidfd.Open(pid)
	if err != nil {
		return nil
	}
	return f
}

// carryOut does what a guardian is for.
func (o orders) carryOut(id string) {
	for range 2 { // in any order: of two limits one may have to wait for the other (cgroup version 1, memory and memsw)
		for path, value := range o.undo {
			_ = os.WriteFile(path, []byte(value), 0)
		}
	}
	for _, hold := range o.cont {
		_ = signalHeld(hold, unix.SIGCONT, 0)
	}
	marker := reexec.Entry(id)
	for pid, g := range o.watched {
		signal := func(sig syscall.Signal, flags int) error { return signalHeld(g.hold, sig, flags) }
		pidfd.KillGroup(pid, signal, func() bool { return GroupHas(pid, marker) })
		if g.dir != "" {
			_ = cgroup.KillDir(g.dir, g.version)
			_ = os.Remove(g.dir)
		}
	}
	Sweep(id)
	until := time.Now().Add(endWait)
	for pid, g := range o.watched {
		AwaitGroup(pid, until)
		if g.dir != "" {
			_ = cgroup.RemoveLeft(g.dir, removeWait)
		}
	}
	for _, dir := range cgroup.Owned(o.of) { // asked for, not told: whoever makes one may be killed before it can tell
		_ = cgroup.RemoveLeft(dir, removeWait)
	}
	for path := range o.remove {
		removeAll(path)
	}
}

// removeWait bounds how long a guardian tries to remove a directory.
const removeWait = time.Second

// removeAll tries until it is done: what another guardian is about to kill may still write there.
func removeAll(dir string) {
	for deadline := time.Now().Add(removeWait); os.RemoveAll(dir) != nil && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
	}
}

// signalHeld signals what hold gave.
func signalHeld(hold io.Closer, sig unix.Signal, flags int) error {
	f, ok := hold.(*os.File)
	if !ok {
		return os.ErrInvalid
	}
	return pidfd.Signal(f, sig, flags)
}

// marked lists the processes whose initial environment carries the entry, but for this one.
func marked(entry string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && procfs.Marked(pid, entry) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// GroupHas tells whether the process group has a member whose environment carries the entry.
func GroupHas(pgid int, entry string) bool {
	return slices.ContainsFunc(marked(entry), func(pid int) bool {
		got, err := unix.Getpgid(pid)
		return err == nil && got == pgid
	})
}

// GroupLives tells whether the process group has a member that has not ended.
func GroupLives(pgid int) bool {
	if unix.Kill(-pgid, 0) != nil {
		return false // nor one that has, and waits to be reaped
	}
	entries, _ := os.ReadDir("/proc")
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		pid, _ := strconv.Atoi(e.Name())
		if got, err := unix.Getpgid(pid); pid == 0 || err != nil || got != pgid {
			return false
		}
		f, err := pidfd.Open(pid)
		if err != nil {
			return false
		}
		defer f.Close()
		return !pidfd.Ended(f) // the state is that of its first thread, which may have ended long before the last
	})
}

// AwaitGroup waits until no member of a killed process group lives, or until that time.
func AwaitGroup(pgid int, until time.Time) {
	for GroupLives(pgid) && time.Now().Before(until) {
		time.Sleep(time.Millisecond)
	}
}

// endWait bounds how long what was killed is waited for: it may have gigabytes to give back, or wait for a device that
// does not answer.
const endWait = time.Second

// maxEnding bounds the descriptors that a sweep holds: of a program with few of them others have need, too. Whoever is
// killed beyond that is waited for as long as it has its environment.
const maxEnding = 64

// Sweep kills every process whose environment carries RESPAWN_POOL=id until no more are found and those have ended, for
// up to a second: one that is about to end has no environment any more, and may have gigabytes to give back. This
// process is none of them.
func Sweep(id string) {
	entry, ending := reexec.Entry(id), map[int]*os.File{}
	for deadline, clean := time.Now().Add(endWait), 0; clean < 2 && time.Now().Before(deadline); time.Sleep(
		2 * time.Millisecond) {
		clean++
		for _, pid := range marked(entry) {
			clean = 0
			f, err := pidfd.Open(pid)
			if err != nil {
				continue
			}
			if ending[pid] == nil && procfs.Marked(pid, entry) {
				_ = pidfd.Signal(f, unix.SIGKILL, 0)
				if len(ending) < maxEnding {
					ending[pid] = f
					continue
				}
			}
			_ = f.Close()
		}
		for pid, f := range ending {
			if !pidfd.Ended(f) {
				clean = 0
				continue
			}
			_ = f.Close()
			delete(ending, pid)
		}
	}
	for _, f := range ending {
		_ = f.Close()
	}
}
