package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 on every architecture that Go knows.
const tick = 10 * time.Millisecond

// Flags of linux/sched.h: PF_EXITING and PF_KTHREAD.
const (
	exiting      = 0x00000004
	kernelThread = 0x00200000
)

var pageSize = int64(os.Getpagesize())

// Read looks at one process. The error is fs.ErrNotExist when there is none.
func Read(pid int) (Proc, error) {
	return readInto(pid, make([]byte, statRoom))
}

// statRoom is more than a name and 51 numbers take.
const statRoom = 2048

func readInto(pid int, room []byte) (Proc, error) {
	stat, err := readAtOnce(file(pid, "stat"), room)
	if err != nil {
		return Proc{}, gone(err)
	}
	return parseStat(pid, stat)
}

// readAtOnce reads a file that the kernel gives in one piece if there is room for it. Three system calls are half of
// what os.ReadFile makes, and all processes of a host are looked at many times a second.
func readAtOnce(path string, room []byte) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	for err == syscall.EINTR {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	n, err := syscall.Read(fd, room)
	for err == syscall.EINTR {
		n, err = syscall.Read(fd, room)
	}
	_ = syscall.Close(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return room[:n], nil
}

// parseStat parses proc_pid_stat(5). The name is in parentheses and may hold anything, so the fields are counted from
// the last closing one.
func parseStat(pid int, stat []byte) (Proc, error) {
	var fields [22][]byte
	count := 0
	for field := range bytes.FieldsSeq(stat[bytes.LastIndexByte(stat, ')')+1:]) {
		fields[count] = field
		if count++; count == len(fields) {
			break
		}
	}
	if count < len(fields) {
		return Proc{}, fmt.Errorf("/proc/%d/stat has %d fields after the name, want 22 or more", pid, count)
	}
	num := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
		return n
	}
	return Proc{
		PID: pid, State: fields[0][0], PPID: int(num(1)), CPU: time.Duration(num(11)+num(12)) * tick,
		Reaped: time.Duration(num(13)+num(14)) * tick, Started: time.Duration(num(19)) * tick, RSS: num(21) * pageSize,
		Kernel: num(6)&kernelThread != 0, Exiting: num(6)&exiting != 0,
	}, nil
}

// Data is what RLIMIT_DATA counts of the process: its private writable memory, in bytes (proc_pid_status(5), VmData).
func Data(pid int) (int64, error) {
	status, err := os.ReadFile(file(pid, "status"))
	if err != nil {
		return 0, gone(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmData:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmData", pid)
}

// Snapshot lists every process. Processes that end meanwhile are left out.
func Snapshot() (Table, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	t, room := make(Table, len(names)), make([]byte, statRoom)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, err := readInto(pid, room); err == nil {
				t[pid] = p
			}
		}
	}
	return t, err
}

// Stopped tells whether every thread of the process is stopped (state T): then it executes nothing until it is
// continued.
func Stopped(pid int) (bool, error) {
	tasks, err := os.ReadDir(file(pid, "task"))
	if err != nil {
		return false, gone(err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(file(pid, "task/"+task.Name()+"/stat"))
		if err != nil {
			continue // a thread that ended
		}
		if p, err := parseStat(pid, stat); err != nil || p.State != 'T' {
			return false, err
		}
	}
	return len(tasks) > 0, nil
}

// Marked tells whether the environment that pid was started with has the entry, "KEY=value". It is false for zombies,
// whose environment is gone.
func Marked(pid int, entry string) bool {
	env, err := os.ReadFile(file(pid, "environ"))
	if err != nil {
		return false
	}
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		if string(kv) == entry {
			return true
		}
	}
	return false
}

// Bare tells whether pid has no environment: it is just becoming another program (execve), or wants none.
func Bare(pid int) bool {
	env, err := os.ReadFile(file(pid, "environ"))
	return err == nil && len(env) == 0
}

// Files counts the open file descriptors of pid.
func Files(pid int) (int, error) {
	dir, err := os.Open(file(pid, "fd"))
	if err != nil {
		return 0, gone(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return len(names), err
}

// ReadDispositions looks at what pid does with signals.
func ReadDispositions(pid int) (Dispositions, error) {
	var d Dispositions
	data, err := os.ReadFile(file(pid, "status"))
	if err != nil {
		return d, gone(err)
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			continue
		}
		switch key {
		case "SigPnd", "ShdPnd":
			d.Pending |= Signals(n)
		case "SigBlk":
			d.Blocked = Signals(n)
		case "SigIgn":
			d.Ignored = Signals(n)
		case "SigCgt":
			d.Caught = Signals(n)
		}
	}
	return d, nil
}

// HostOOMKills is how many processes of this host the kernel's OOM killer has ended since it booted, those of memory
// cgroups included: oom_kill in /proc/vmstat.
func HostOOMKills() (int64, error) {
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, errors.New("/proc/vmstat has no oom_kill: the kernel is too old")
}

func file(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// gone turns ESRCH, which reading a file of a process that has just ended gives, into fs.ErrNotExist.
func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return errors.Join(os.ErrNotExist, err)
	}
	return err
}
