package pool

import (
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
)

func TestAnExitIsClassifiedByItsEvidenceWhateverCodeItEndsWith(t *testing.T) {
	const goOOM = "fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw({0x8a1d33?})\n"
	const stack = "fatal error: unexpected signal\n\ngoroutine 0 gp=0x1 m=0 mp=0x2 [idle]:\n"
	const abrt, segv, kill, term = syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGKILL, syscall.SIGTERM
	for name, is := range map[string]struct {
		x       Exit
		oom     uint64
		limited bool
		kind    Kind
		says    string
	}{
		"the runtime's own": {x: Exit{Code: 2, Stderr: goOOM}, kind: KindOOM, says: "runtime: out of memory"},
		"GOTRACEBACK=crash": {
			x: Exit{Code: -1, Signal: abrt, Stderr: goOOM}, kind: KindOOM, says: "runtime: out of memory",
		},
		"a handler of that signal": {x: Exit{Code: 70, Stderr: goOOM}, kind: KindOOM, says: "runtime: out of memory"},
		"a status that is not known": {
			x: Exit{Code: unknownCode, Stderr: goOOM}, kind: KindOOM, says: "runtime: out of memory",
		},
		"C++, GNU": {
			x: Exit{Code: -1, Signal: abrt, Stderr: "terminate called after throwing an instance of " +
				"'std::bad_alloc'\n  what():  std::bad_alloc\nSIGABRT: abort\n"},
			kind: KindOOM, says: "C++: std::bad_alloc",
		},
		"C++, LLVM": {
			x: Exit{
				Code: -1, Signal: abrt,
				Stderr: "libc++abi: terminating due to uncaught exception of type std::bad_alloc: std::bad_alloc\n",
			},
			kind: KindOOM, says: "C++: std::bad_alloc",
		},
		"Rust": {
			x: Exit{Code: -1, Signal: abrt, Stderr: "memory allocation of 17179869184 bytes failed\n"}, kind: KindOOM,
			says: "Rust: memory allocation failed",
		},
		"the cgroup": {
			x: Exit{Code: -1, Signal: kill}, oom: 1, kind: KindOOM, says: "cgroup oom_kill +1",
		},
		"the cgroup, not known": {x: Exit{Code: unknownCode}, oom: 1, kind: KindOOM, says: "cgroup oom_kill +1"},
		"the limit, in the runtime": {
			x: Exit{Code: 2, Stderr: stack}, limited: true, kind: KindOOM,
			says: "RLIMIT_DATA: no memory left for the Go runtime itself",
		},
		"the limit, to abort": {
			x: Exit{Code: -1, Signal: abrt, Stderr: stack}, limited: true, kind: KindOOM,
			says: "RLIMIT_DATA: no memory left for the Go runtime itself",
		},
		"no limit": {x: Exit{Code: 2, Stderr: stack}, kind: KindCrashed},
		"a crash": {
			x: Exit{Code: -1, Signal: segv, Stderr: "SIGSEGV: segmentation violation\n"}, kind: KindCrashed,
		},
		"a kill, whatever it wrote": {x: Exit{Code: -1, Signal: kill, Stderr: goOOM}, kind: KindKilled},
		"SIGTERM":                   {x: Exit{Code: -1, Signal: term}, kind: KindKilled},
		"a report that takes long": {
			x: Exit{Code: -1, Signal: kill, Reason: ReasonStall, Stderr: goOOM}, kind: KindOOM,
			says: "runtime: out of memory",
		},
		"a stall":                    {x: Exit{Code: -1, Signal: kill, Reason: ReasonStall}, kind: KindOurs},
		"an end of its own":          {x: Exit{Code: 0, Stderr: goOOM}, kind: KindCrashed},
		"somebody else reaped":       {x: Exit{Code: unknownCode}, kind: KindUnknown},
		"somebody else reaped, ours": {x: Exit{Code: unknownCode, Reason: ReasonTimeout}, kind: KindOurs},
		"asked":                      {x: Exit{Code: 0, Asked: true}, kind: KindClean},
	} {
		t.Run(name, func(t *testing.T) {
			g, x := NewWithT(t), is.x
			x.classify(is.oom, is.limited)
			g.Expect(x.Kind).To(Equal(is.kind))
			g.Expect(x.OOM).To(Equal(is.says))
		})
	}
}
