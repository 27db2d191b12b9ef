//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// host runs argv in a guest and returns its exit code. Settings come by the environment, since go test leaves no room
// for flags: V2_KERNEL, V2_AS (root or user), V2_TIMEOUT (10m), V2_MEMORY (1G), and V2_TMPDIR, where the guest's memory
// is (/dev/shm).
func host(argv []string) (code int, err error) {
	limit, err := time.ParseDuration(cmp.Or(os.Getenv("V2_TIMEOUT"), "10m"))
	if err != nil {
		return exitLost, fmt.Errorf("V2_TIMEOUT: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than V2_TIMEOUT=%v", limit))
	defer cancel()

	dir, err := newJob(argv)
	if err != nil {
		return exitLost, err
	}
	defer os.RemoveAll(dir)
	if err = boot(ctx, dir); ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	text, _ := os.ReadFile(filepath.Join(dir, exitFile))
	if code, e := strconv.Atoi(string(text)); e == nil {
		return code, nil
	}
	return exitLost, fmt.Errorf("the guest gave no exit code: %w", cmp.Or(err, errors.New("it died")))
}

// newJob makes the directory by which host and guest talk.
func newJob(argv []string) (dir string, err error) {
	j := job{Argv: argv, Env: os.Environ(), User: os.Getenv("V2_AS") == "user"}
	if j.Argv[0], err = filepath.Abs(argv[0]); err == nil {
		j.Argv[0], err = filepath.EvalSymlinks(j.Argv[0]) // hostfs mounts no symbolic link
	}
	if err != nil {
		return "", err
	}
	if j.Dir, err = os.Getwd(); err != nil {
		return "", err
	}
	data, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "respawn-v2-"); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, jobFile), data, 0o600)
}

// boot runs the kernel until it powers off. It is in a pid namespace, so that nothing of it is left when that ends,
// which it does when this process dies; for a plain user that takes a user namespace too. The first process there is a
// nanny, since the kernel must not be it: it ends a panic by SIGABRT, which a first process never gets.
func boot(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	nanny := exec.CommandContext(ctx, self)
	nanny.Args = []string{
		nannyArg, os.Getenv("V2_KERNEL"),
		"rootfstype=hostfs", "ro", "init=" + self, "mem=" + cmp.Or(os.Getenv("V2_MEMORY"), "1G"),
		"cgroup_no_v1=all", "quiet", "uml_dir=" + dir, jobParam + "=" + dir,
		"con=null", "con0=null,fd:2", "con1=null,fd:1",
	}
	nanny.Env = []string{"HOME=" + dir}
	if shm := os.Getenv("V2_TMPDIR"); shm != "" {
		nanny.Env = append(nanny.Env, "TMPDIR="+shm)
	}
	nanny.Stdout, nanny.Stderr = os.Stdout, os.Stderr
	nanny.WaitDelay = 5 * time.Second
	nanny.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		nanny.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		nanny.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		nanny.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	runtime.LockOSThread() // Pdeathsig and the CPU are this thread's
	if err := oneCPU(); err != nil {
		return err
	}
	return nanny.Run()
}

// nurse starts the kernel and waits for its end.
func nurse(argv []string) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	kernel := exec.Command(argv[0], argv[1:]...)
	kernel.Stdout, kernel.Stderr = os.Stdout, os.Stderr
	if err := kernel.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "v2: the kernel:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// oneCPU keeps this thread, and the kernel that it will start, on one CPU: its processes hand over to each other all
// the time, and across CPUs that takes five times as long.
func oneCPU() error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return err
	}
	for skip, cpu := os.Getpid()%may.Count(), 0; ; cpu++ {
		if !may.IsSet(cpu) {
			continue
		}
		if skip == 0 {
			one.Set(cpu)
			return unix.SchedSetaffinity(0, &one)
		}
		skip--
	}
}
