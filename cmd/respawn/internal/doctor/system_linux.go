package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/units"
)

func system(context.Context) []Check {
	who := "a plain user: cgroups must be delegated to it"
	if os.Geteuid() == 0 {
		who = "root"
	}
	return append(files(), []Check{
		found("kernel", "the pool", "", nil, "Linux %s, %s", procfs.Line("/proc/sys/kernel/osrelease"), runtime.GOARCH),
		found("processors", "the pool", "", nil, "%d", runtime.NumCPU()),
		found("Go", "the pool", "", nil, "%s (built with)", runtime.Version()),
		found("user", "cgroups", "", nil, "%s", who),
	}...)
}

// memory looks at what the large payloads and the OOM faults stand on.
func memory(context.Context) []Check {
	total := field("/proc/meminfo", "MemTotal:")
	swap := field("/proc/meminfo", "SwapTotal:")
	var swapped error
	if swap > 0 {
		swapped = fmt.Errorf("%s of swap", units.Size(float64(swap)*1024))
	}
	return []Check{
		found("memory", "the pool", "", nil, "%s", units.Size(float64(total)*1024)),
		found("sealed memfd", "shared memory that a worker cannot shrink: the pool does not start without it",
			"use Linux 5.1 or later, and a seccomp filter that allows memfd_create",
			seals(), "F_SEAL_SHRINK, GROW, FUTURE_WRITE and SEAL hold"),
		found("no swap", "an OOM kill that comes promptly: with swap a worker slows down first",
			"swapoff -a, or a version 2 memory cgroup, where the pool forbids swap by memory.swap.max",
			swapped, "no swap"),
	}
}

// seals makes a memfd with the pool's seals and tries to shrink it.
func seals() error {
	fd, err := unix.MemfdCreate("respawn-doctor", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 4096); err != nil {
		return fmt.Errorf("ftruncate: %w", err)
	}
	const all = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, all); err != nil {
		return fmt.Errorf("F_ADD_SEALS: %w", err)
	}
	if unix.Ftruncate(fd, 0) == nil {
		return errors.New("a sealed memfd could be shrunk")
	}
	return nil
}

// filesPerWorker is what a worker takes of its parent's open files, and a margin.
const filesPerWorker = 6

// files tries what every start of a worker opens.
func files() []Check {
	self, procErr := os.Readlink("/proc/self")
	if procErr == nil && self != strconv.Itoa(os.Getpid()) {
		procErr = fmt.Errorf("/proc/self is %s, and this is process %d: it is of another pid namespace",
			self, os.Getpid())
	}
	if procErr == nil {
		procErr = unix.Access(reexec.Program, unix.X_OK)
	}
	return []Check{
		found("/proc", "starting workers: the pool does not start without it",
			"mount -t proc proc /proc", procErr, "of this pid namespace, and this program can be started from it"),
		found(os.DevNull, "the workers' stdin: the pool does not start without it",
			"rm -f /dev/null && mknod -m 666 /dev/null c 1 3", nullDevice(), "can be read and written"),
	}
}

// nullDevice opens the null device and looks whether it is one: a program that replaces files may have put a file in
// its place.
func nullDevice() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	var is unix.Stat_t
	if err := unix.Fstat(int(null.Fd()), &is); err != nil {
		return fmt.Errorf("fstat %s: %w", os.DevNull, err)
	}
	if is.Mode&unix.S_IFMT != unix.S_IFCHR || is.Rdev != unix.Mkdev(1, 3) {
		return errors.New(os.DevNull + " is not the null device")
	}
	return nil
}

func limits(context.Context) (checks []Check) {
	files, err := rlimit(unix.RLIMIT_NOFILE)
	enough := int(min(files.Cur/filesPerWorker, 1<<30))
	if err == nil && enough < 1000 {
		err = fmt.Errorf("%d, enough for about %d workers", files.Cur, enough)
	}
	checks = append(checks,
		found("open files", "1,000 workers in a pool", "ulimit -n 8192 (the hard limit is "+count(files.Max)+")",
			err, "%s, enough for 1,000 workers", count(files.Cur)))

	procs, err := rlimit(unix.RLIMIT_NPROC)
	if err == nil && procs.Cur < 20_000 && os.Geteuid() != 0 {
		err = fmt.Errorf("%d processes and threads", procs.Cur)
	}
	checks = append(checks, found("processes", "1,000 workers in a pool, each with several threads",
		"ulimit -u 20000 (the hard limit is "+count(procs.Max)+")", err, "%s", count(procs.Cur)))

	pids, _ := strconv.Atoi(procfs.Line("/proc/sys/kernel/pid_max"))
	err = nil
	if pids < 20_000 {
		err = fmt.Errorf("pid_max is %d", pids)
	}
	checks = append(checks, found("pids", "1,000 workers in a pool, each with several threads",
		"sysctl kernel.pid_max=4194304", err, "pid_max is %d", pids))
	return append(checks, tenThousand(files.Cur, uint64(pids)))
}

// tenThousand tells what of ten thousand workers there is no room for.
func tenThousand(files, pids uint64) Check {
	const workers, threads, mappings, arenas = 10_000, 6, 3, 4 << 30
	space, _ := rlimit(unix.RLIMIT_AS)
	maps, _ := strconv.ParseUint(procfs.Line("/proc/sys/vm/max_map_count"), 10, 64)
	var few []string
	for _, has := range []struct {
		what       string
		have, each uint64
	}{
		{"open files", files, filesPerWorker},
		{"pids", pids, threads},
		{"mappings", maps, mappings},
		{"bytes of address space", space.Cur, arenas},
	} {
		if has.have/has.each < workers {
			few = append(few, fmt.Sprintf("%s %s, enough for about %d", count(has.have), has.what, has.have/has.each))
		}
	}
	var err error
	if len(few) > 0 {
		err = errors.New(strings.Join(few, "; "))
	}
	return found("10,000 workers", fmt.Sprintf(
		"10,000 workers in a pool: %d open files, %d pids, %d mappings and, at the default Config.MaxPayload, 40 TiB "+
			"of address space in the parent", workers*filesPerWorker, workers*threads, workers*mappings),
		"ulimit -n 60000; sysctl kernel.pid_max=4194304 vm.max_map_count=262144; ulimit -v unlimited, or a "+
			"Config.MaxPayload of what the tasks need",
		err, "room for them")
}

func rlimit(which int) (l unix.Rlimit, err error) {
	err = unix.Getrlimit(which, &l)
	return l, err
}

func count(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

// field is the number after a key in a file such as /proc/meminfo, there in KiB; 0 when it is not there.
func field(path, key string) int {
	data, _ := os.ReadFile(path)
	for l := range strings.Lines(string(data)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == key {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}
