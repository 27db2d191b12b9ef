package pool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// guardianMain is the guardian process. It never returns.
func guardianMain() {
	id := os.Getenv(envGuardian)
	os.Unsetenv(envGuardian)
	setComm("guardian")
	_ = os.Chdir("/") // which nobody will want to unmount; not before, since the program may need its directory to start
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGQUIT)
	_ = unix.CloseRange(3, 1<<16, unix.CLOSE_RANGE_CLOEXEC)
	orders := readOrders(stdinOf(3), holdProcess)
	if !orders.bye {
		orders.carryOut(id)
	}
	os.Exit(0)
}

// stdinOf is standard input, which ends when the process of that pidfd does.
type stdinOf int

func (host stdinOf) Read(b []byte) (int, error) {
	n, err := readBeside(0, int(host), b)
	if n <= 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// holdProcess opens a pidfd, nil if the process is gone.
func holdProcess(pid int) io.Closer {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "pidfd")
}

// carryOut does what a guardian is for.
func (o guardianOrders) carryOut(id string) {
	for range 2 { // in any order: of two limits one may have to wait for the other (cgroup version 1, memory and memsw)
		for path, value := range o.undo {
			_ = os.WriteFile(path, []byte(value), 0)
		}
	}
	for _, hold := range o.cont {
		_ = signalHeld(hold, unix.SIGCONT, 0)
	}
	marker := []byte(envPool + "=" + id)
	for pid, g := range o.watched {
		killGroup(pid, func(sig syscall.Signal, flags int) error { return signalHeld(g.hold, sig, flags) }, marker)
		if g.dir != "" {
			_ = cgroup.KillDir(g.dir, g.version)
			_ = os.Remove(g.dir)
		}
	}
	killAllMarked(marker)
	for _, g := range o.watched {
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

// signalHeld signals what holdProcess gave.
func signalHeld(hold io.Closer, sig unix.Signal, flags int) error {
	f, ok := hold.(*os.File)
	if !ok {
		return os.ErrInvalid
	}
	return signalPidfd(f, sig, flags)
}

// markedProcesses lists the processes whose initial environment carries the marker, but for this one.
func markedProcesses(marker []byte) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && isMarked(pid, marker) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isMarked is false for zombies: their environment is gone.
func isMarked(pid int, marker []byte) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(kv, marker) {
			return true
		}
	}
	return false
}

func groupHas(pgid int, marker []byte) bool {
	for _, pid := range markedProcesses(marker) {
		if got, err := unix.Getpgid(pid); err == nil && got == pgid {
			return true
		}
	}
	return false
}

// killAllMarked kills every process that carries the marker until no more are found, for up to a second.
func killAllMarked(marker []byte) {
	for deadline, clean := time.Now().Add(time.Second), 0; clean < 2 && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		clean++
		for _, pid := range markedProcesses(marker) {
			clean = 0
			killMarked(pid, marker)
		}
	}
}

// killMarked kills pid, looking at its environment again once it is held.
func killMarked(pid int, marker []byte) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if isMarked(pid, marker) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
