//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	cgroups   = "/sys/fs/cgroup"
	tmp       = "/run" // not /tmp: the program to run is often there
	plainUser = 65534
)

// guest is the first process of the guest: it makes the place ready, runs the job, tells its exit code and powers off.
// The kernel panics when it returns.
func guest(dir string) {
	out, errs := console("/dev/tty1"), console("/dev/tty0")
	code, err := run(dir, out, errs)
	if err == nil {
		err = leftovers()
	}
	if err != nil {
		fmt.Fprintln(errs, "v2: in the guest:", err)
		code = max(code, 1)
	}
	for _, f := range []*os.File{out, errs} {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1) // until it is written
	}
	_ = os.WriteFile(filepath.Join(dir, exitFile), []byte(strconv.Itoa(code)), 0o600)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// console opens a terminal that leads to one of the host's descriptors, and keeps it from turning \n into \r\n.
func console(path string) *os.File {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return os.Stderr
	}
	if t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
		t.Oflag &^= unix.OPOST
		_ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
	}
	return f
}

func run(dir string, out, errs *os.File) (int, error) {
	if err := errors.Join(mounts(dir), loopback()); err != nil {
		return exitLost, err
	}
	var j job
	data, err := os.ReadFile(filepath.Join(dir, jobFile))
	if err == nil {
		err = json.Unmarshal(data, &j)
	}
	if err != nil {
		return exitLost, err
	}
	home, err := arrange(j.User)
	if err != nil {
		return exitLost, err
	}
	defer home.Close()
	attr := &os.ProcAttr{
		// of two, the first counts
		Env:   append([]string{"TMPDIR=" + tmp, "GOTMPDIR=" + tmp, "RESPAWN_CGROUP=2"}, j.Env...),
		Files: []*os.File{nil, out, errs},
		Sys:   inGroup(home),
	}
	program := j.Argv[0]
	if j.User { // who may not be able to reach it
		attr.Sys.Credential = &syscall.Credential{Uid: plainUser, Gid: plainUser}
		program = filepath.Join(tmp, filepath.Base(program))
		err = copyFile(program, j.Argv[0])
	} else { // go test lets the program write beside itself
		err = hostfs(filepath.Dir(program))
	}
	if err == nil {
		err = os.Chdir(j.Dir) // while that is still allowed
	}
	if err != nil {
		return exitLost, err
	}
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16})
	p, err := os.StartProcess(program, j.Argv, attr)
	if err != nil {
		return exitLost, err
	}
	return reap(p.Pid)
}

// reap waits for the process, and for every orphan that comes meanwhile.
func reap(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return exitLost, err
		case got == pid && status.Signaled():
			return 128 + int(status.Signal()), fmt.Errorf("ended by %v", status.Signal())
		case got == pid:
			return status.ExitStatus(), nil
		}
	}
}

// loopback has 127.0.0.1 answer, as it does elsewhere.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("ioctl SIOCSIFFLAGS lo", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}

func mounts(dir string) error {
	for _, m := range []struct{ kind, dir, data string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"cgroup2", cgroups, ""},
		{"tmpfs", tmp, "mode=1777"},
	} {
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.dir, err)
		}
	}
	_ = os.Mkdir("/dev/shm", 0o777)
	_ = unix.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")
	return hostfs(dir)
}

// hostfs makes a directory of the host writable.
func hostfs(dir string) error {
	if err := unix.Mount("none", dir, "hostfs", 0, dir); err != nil {
		return fmt.Errorf("mount the host's %s: %w", dir, err)
	}
	return nil
}

// arrange makes the groups as a service manager does, and opens the one that the program is to start in. For a plain
// user that is one that is delegated; for root it is that of a session, which nobody delegated, and where others are
// too.
func arrange(user bool) (*os.File, error) {
	if err := os.WriteFile(cgroups+"/cgroup.subtree_control", []byte("+cpu +memory +pids"), 0); err != nil {
		return nil, err
	}
	dir := cgroups + "/user/session"
	if user {
		dir = cgroups + "/delegated"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	home, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if !user {
		_, err = os.StartProcess("/proc/self/exe", []string{strangerArg}, &os.ProcAttr{Sys: inGroup(home)})
		return home, err
	}
	for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} { // cgroups(7)
		err = errors.Join(err, os.Chown(filepath.Join(dir, name), plainUser, plainUser))
	}
	return home, err
}

// inGroup starts a process in a group, and in a session of its own.
func inGroup(home *os.File) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(home.Fd()), Setsid: true}
}

// leftovers names the groups of the module that the program left behind, but for the leaf that it was in itself.
func leftovers() (err error) {
	_ = filepath.WalkDir(cgroups, func(path string, d fs.DirEntry, e error) error {
		name := d.Name()
		if e == nil && d.IsDir() && strings.HasPrefix(name, "respawn-") && !strings.HasPrefix(name, "respawn-self-") {
			err = errors.Join(err, fmt.Errorf("the cgroup %s is left", path))
		}
		return nil
	})
	return err
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
