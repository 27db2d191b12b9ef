package faults_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/faults"
)

// What Go programs wrote when RLIMIT_DATA met them elsewhere than in the allocator of their heap, on a busy machine,
// and what others write that ran out of nothing.
func TestOutOfMemoryIsToldFromOtherCrashes(t *testing.T) {
	for _, c := range []struct{ stderr, who, said string }{
		{
			"fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw({0x8a1d33?})\n",
			"allocator", "fatal error: runtime: out of memory",
		},
		{"Traceback (most recent call last):\n  File \"a.py\"\nMemoryError\n", "allocator", "MemoryError"},
		{
			"runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\n" +
				"PC=0x7fd9dc816eec m=7 sigcode=18446744073709551610\n\n" +
				"goroutine 0 gp=0x2ba90872e960 m=7 mp=0x2ba90874a008 [idle]:\n",
			"runtime", "runtime/cgo: pthread_create failed: Resource temporarily unavailable",
		},
		{
			"runtime: failed to create new OS thread (have 6 already; errno=11)\n" +
				"runtime: may need to increase max user processes (ulimit -u)\n" +
				"fatal error: newosproc\n",
			"runtime", "runtime: failed to create new OS thread (have 6 already; errno=11)",
		},
		{
			"SIGSEGV: segmentation violation\nPC=0x43919d m=7 sigcode=1 addr=0x0\n\n" +
				"goroutine 0 gp=0x34d4d4905680 m=7 mp=0x34d4d4901808 [idle]:\n" +
				"runtime.(*spanQueue).tryDrain(0x7f6800000400?, 0x4419e5?, 0xe43548?)\n",
			"runtime", "SIGSEGV: segmentation violation on its system stack: " +
				"runtime.(*spanQueue).tryDrain(0x7f6800000400?, 0x4419e5?, 0xe43548?)",
		},
		{"panic: runtime error: invalid memory address or nil pointer dereference\n\n" +
			"goroutine 7 gp=0x1 m=2 mp=0x3 [running]:\nmain.main()\n", "", ""},
		{"flag provided but not defined: -x\n", "", ""},
		{"", "", ""},
	} {
		g := NewWithT(t)
		who, said := faults.OutOfMemory(c.stderr)
		g.Expect(who).To(Equal(c.who), c.stderr)
		g.Expect(said).To(Equal(c.said), c.stderr)
	}
}
