package pool

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/process"

	"golang.org/x/sys/unix"
)

// Reason says why the pool itself ended a worker; ReasonNone when it did not.
type Reason uint8

// The pool's reasons to end a worker.
const (
	ReasonNone     Reason = iota
	ReasonStop            // Close, Terminate, or a Resize to fewer
	ReasonRecycle         // MaxTasks, MaxAge, SoftMemory
	ReasonRestart         // Restart
	ReasonTimeout         // its task ran too long
	ReasonCancel          // its task was cancelled and did not return within CancelGrace
	ReasonStall           // no heartbeat
	ReasonProtocol        // sent something that no worker should
	ReasonBoot            // not ready within BootTimeout
)

func (r Reason) String() string {
	return [...]string{
		"", "stop", "recycle", "restart", "timeout", "cancel", "stall", "protocol", "boot",
	}[min(r, ReasonBoot)]
}

// Kind classifies a worker's end: which budget it is charged to, if a task was running.
type Kind uint8

// The kinds of exits.
const (
	// exit code 0 after it was asked to stop, by the pool or by SIGTERM from outside
	KindClean Kind = iota
	// ended by the pool: Exit.Reason says why
	KindOurs
	// any other exit code, or a signal such as SIGSEGV; exit code 0 when nobody asked is one too
	KindCrashed
	// out of memory: Exit.OOM names the evidence
	KindOOM
	// SIGKILL or SIGTERM from outside, without evidence of OOM
	KindKilled
	// the process was reaped by someone else, and how it ended is not known: counted as a kill from outside
	KindUnknown
)

func (k Kind) String() string {
	return [...]string{"clean", "ours", "crashed", "oom", "killed", "unknown"}[min(k, KindUnknown)]
}

// Exit records how a worker process ended.
type Exit struct {
	Worker     string
	Slot       int
	Generation int
	PID        int
	At         time.Time // when it was reaped
	Code       int       // exit code; -1 when a signal ended it
	Signal     syscall.Signal
	Kind       Kind
	Reason     Reason // why the pool ended it
	// what had stopped it when the pool killed it (SIGSTOP, SIGTTIN, …), which was not the pool; else 0
	Stopped syscall.Signal
	// SIGTERM from outside had asked it to; with ReasonStop: and it did not heed that in StopGrace
	Asked      bool
	OOM        string        // the evidence for KindOOM: "cgroup oom_kill +1", "runtime: out of memory", …
	UserTime   time.Duration // CPU time of the process and what it waited for
	SystemTime time.Duration
	MaxRSS     Bytes     // the largest resident set
	Stderr     string    // the tail of what it wrote to stderr, at most 4 KiB, with the cause of a Go crash
	TaskID     uint64    // the task it was running, 0 if none
	Task       string    // that task's name
	Since      time.Time // since when it can have been running that task; zero if none
	Settled    int       // tasks it settled in its life
}

// fromOutside tells whether somebody else ended the worker, or took its status away.
func (x Exit) fromOutside() bool { return x.Kind == KindKilled || x.Kind == KindUnknown }

// code is the exit code as the tutorial prints it: 0, 42, -SIGKILL.
func (x Exit) code() string {
	if x.Signal != 0 {
		return "-" + signalName(x.Signal)
	}
	return strconv.Itoa(x.Code)
}

// String is one line: worker, pid, exit code, and what is known of the cause.
func (x Exit) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s pid=%d exitcode=%s", x.Worker, x.PID, x.code())
	switch {
	case x.OOM != "":
		fmt.Fprintf(&b, " out of memory: %s", x.OOM)
	case x.Reason != ReasonNone:
		fmt.Fprintf(&b, " by the pool: %s", x.Reason)
	}
	if x.Stopped != 0 {
		fmt.Fprintf(&b, ", stopped by %s", signalName(x.Stopped))
	}
	if x.Asked && x.Code != 0 {
		b.WriteString(" after SIGTERM from outside")
	}
	if line := lastLine(x.Stderr); line != "" && x.Kind == KindCrashed {
		fmt.Fprintf(&b, " stderr: %q", line)
	}
	return b.String()
}

// lastLine is the first line of a stderr tail that tells of a crash, or else its last line, cut to 200 bytes.
func lastLine(s string) string {
	last := ""
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" {
			last = line
		}
		if process.IsCrashMark(line) {
			break
		}
	}
	return last[:min(len(last), 200)]
}

// classify sets Kind and OOM from the wait status, our own reason and the evidence; limited says that RLIMIT_DATA stood
// in for a memory cgroup. Which exit a want of memory leads to is up to the program: exit code 2 is the Go runtime's,
// SIGABRT under GOTRACEBACK=crash and of C++ and Rust code.
func (x *Exit) classify(oomKills uint64, limited bool) {
	unknown := x.Code == unknownCode
	evidence := outOfMemory(x.Stderr)
	if evidence == "" && limited && goRuntimeCrashed(x.Stderr) {
		evidence = "RLIMIT_DATA: no memory left for the Go runtime itself"
	}
	switch {
	case oomKills > 0 && (x.Signal == syscall.SIGKILL || unknown):
		x.Kind, x.OOM = KindOOM, "cgroup oom_kill +"+strconv.FormatUint(oomKills, 10)
	case x.Reason == ReasonStall && evidence != "": // its report of that may take longer than the heartbeat
		x.Kind, x.OOM = KindOOM, evidence
	case x.Reason != ReasonNone && x.Code == 0:
		x.Kind = KindClean
	case x.Reason != ReasonNone:
		x.Kind = KindOurs
	case x.Code == 0 && x.Asked:
		x.Kind = KindClean
	case x.Signal == syscall.SIGKILL, x.Signal == syscall.SIGTERM:
		x.Kind = KindKilled
	case x.Code == 0:
		x.Kind = KindCrashed
	case evidence != "":
		x.Kind, x.OOM = KindOOM, evidence
	case unknown:
		x.Kind = KindUnknown
	default:
		x.Kind = KindCrashed
	}
}

// unknownCode is Exit.Code when somebody else in this program reaped the worker.
const unknownCode = pidfd.Unknown

// outOfMemoryMarks are the words of programs that end for want of memory.
var outOfMemoryMarks = []struct{ words, rest, evidence string }{
	{"runtime: out of memory", "", "runtime: out of memory"}, // Go: runtime/malloc.go, runtime/mem_linux.go
	{"runtime: cannot allocate memory", "", "runtime: out of memory"},
	{"fatal error: out of memory", "", "runtime: out of memory"},
	// libstdc++ vterminate.cc, libc++abi cxa_default_handlers.cpp
	{"terminat", "std::bad_alloc", "C++: std::bad_alloc"},
	{"respawn worker: out of memory", "", "MemoryError in a handler"},            // workers/python/respawn.py
	{"JavaScript heap out of memory", "", "JavaScript heap out of memory"},       // node: V8's FatalProcessOutOfMemory
	{"memory allocation of ", " bytes failed", "Rust: memory allocation failed"}, // library/std/src/alloc.rs
}

// outOfMemory is the evidence that the program ended for want of memory; "" if it does not say so.
func outOfMemory(stderr string) (evidence string) {
	for _, m := range outOfMemoryMarks {
		if _, rest, found := strings.Cut(stderr, m.words); found && strings.Contains(rest, m.rest) {
			return m.evidence
		}
	}
	return ""
}

// goRuntimeCrashed recognises a crash on a system stack: of the runtime, not of Go code that it runs. Under RLIMIT_DATA
// that is how it ends when it cannot get memory for itself, or for the stack of a new thread.
func goRuntimeCrashed(stderr string) bool {
	return strings.Contains(stderr, "goroutine 0 gp=") || strings.Contains(stderr, "runtime: g 0 gp=") ||
		strings.Contains(stderr, "runtime/cgo: pthread_create failed") ||
		strings.Contains(stderr, "failed to create new OS thread")
}

// signalName is the signal's name as kill -l has it: SIGKILL.
func signalName(sig syscall.Signal) string { return unix.SignalName(sig) }
