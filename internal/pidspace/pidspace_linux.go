// Package pidspace runs tests in a pid namespace of their own in which the kernel gives out the same numbers again
// within a second or two.
package pidspace

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	marker   = "RESPAWN_TEST_NAMESPACE"
	noLimit  = "needs a pid_max per namespace: Linux 6.14 or later"
	reserved = 300 // RESERVED_PIDS of the kernel: those below are given out only once
)

// Run runs the test of that name, which calls Enter, as process 1 of a namespace, and returns what it printed with
// -test.v. It fails t if that test fails, and skips it where such a namespace is not to be had.
func Run(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && len(out) == 0:
		t.Skipf("needs a pid namespace: root, or user namespaces for plain users: %v", err)
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	case strings.Contains(string(out), noLimit):
		t.Skip(noLimit)
	}
	return string(out)
}

// Enter makes the namespace that Run has begun ready: /proc is its own, and no number is above highest, of which those
// up to 300 are spent. It skips a test that is not within Run.
func Enter(t *testing.T, highest int) {
	t.Helper()
	if os.Getenv(marker) == "" {
		t.Skip("runs in a namespace that another test makes")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("keep mounts to the namespace: %v", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		t.Fatalf("mount /proc: %v", err)
	}
	if os.WriteFile("/proc/sys/kernel/pid_max", []byte(strconv.Itoa(highest)), 0) != nil {
		t.Skip(noLimit)
	}
	for last := 0; last <= reserved; {
		cmd := exec.Command("true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		last = cmd.Process.Pid
	}
}
