package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/reexec"
)

func parent(dir string) string { return filepath.Dir(dir) }

// processes tries pidfds on a child of its own that exits at once.
func processes(context.Context) []Check {
	opened, info := pidfds()
	return []Check{
		found("pidfd", "holding processes by more than a number that may be reused: the pool does not start without it",
			"use Linux 5.4 or later", opened, "opened, readable after the exit"),
		found("pidfd exit info",
			"the exit status of other programs' children; without it, that a victim was alive before and gone after",
			"use Linux 6.15 or later", info, "the exit status of a reaped process can be read"),
		found("oom_score_adj", "having the kernel's OOM killer prefer workers to their parent",
			"mount /proc writable", raiseScore(), "can be raised"),
	}
}

// pidfds starts a child, waits for it by pidfd, and reads its status after it is reaped.
func pidfds() (opened, info error) {
	pidfd := -1
	cmd := exec.Command(reexec.Program, "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
	if err := cmd.Start(); err != nil {
		return err, err
	}
	if pidfd < 0 {
		_ = cmd.Wait()
		err := errors.New("the kernel gives none")
		return err, err
	}
	defer unix.Close(pidfd)
	polled := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(polled, 10_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		opened = err
		break
	}
	_ = cmd.Wait()
	got := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(pidfd), unix.PIDFD_GET_INFO, uintptr(unsafe.Pointer(&got)))
	switch {
	case errno != 0:
		info = fmt.Errorf("not in this kernel: %w", errno)
	case got.Mask&unix.PIDFD_INFO_EXIT == 0:
		info = errors.New("not in this kernel: no exit status in the answer")
	}
	return opened, info
}

// raiseScore raises the score of a short-lived child.
func raiseScore() error {
	pidfd := -1
	cmd := exec.Command(reexec.Program, "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
	if err := cmd.Start(); err != nil {
		return err
	}
	err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("500"), 0)
	_ = cmd.Wait()
	if pidfd >= 0 {
		unix.Close(pidfd)
	}
	return err
}
