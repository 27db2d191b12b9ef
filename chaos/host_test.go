package chaos_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
)

func TestWhatTheTargetUsesIsNotTakenForOthersUse(t *testing.T) {
	const (
		parent = 1 << 23 // no pid is as large
		member = parent + 1
		deep   = parent + 2
		alien  = parent + 3
		s      = time.Second
	)
	proc := func(pid, ppid int, cpu, reaped time.Duration) procfs.Proc {
		return procfs.Proc{PID: pid, PPID: ppid, State: 'R', Started: time.Duration(pid), CPU: cpu, Reaped: reaped}
	}
	table := func(list ...procfs.Proc) procfs.Table {
		t := procfs.Table{}
		for _, p := range list {
			t[p.PID] = p
		}
		return t
	}
	g := NewWithT(t)
	since := chaos.OwnTime(parent)
	first := table(proc(parent, 1, 9*s, 5*s), proc(member, parent, 3*s, 0), proc(alien, 1, 7*s, 0))
	g.Expect(since(first)).To(BeZero(), "what came before the first look does not count")
	g.Expect(since(table(proc(parent, 1, 10*s, 5*s), proc(member, parent, 5*s, 0), proc(deep, member, s, 0),
		proc(alien, 1, 99*s, 0)))).
		To(Equal(4*s), "a new process counts from its start")
	g.Expect(since(table(proc(parent, 1, 10*s, 5*s), proc(member, parent, 5*s, 0), proc(deep, 1, 3*s, 0)))).
		To(Equal(2*s), "who belonged to it once belongs to it, whoever its parent is")
	g.Expect(since(table(proc(parent, 1, 10*s, 11*s), proc(deep, 1, 3*s, 0)))).
		To(Equal(s), "of a member that is reaped, what it used since the last look")
	g.Expect(since(table(proc(parent, 1, 10*s, 13*s), proc(deep, 1, 3*s, 0)))).
		To(Equal(2*s), "a process that came and went between two looks")
	again := proc(deep, 1, 50*s, 0)
	again.Started++
	g.Expect(since(table(proc(parent, 1, 10*s, 13*s), again))).To(BeZero(), "the number is given out again")
}

// It is this process that burns: the harness is one of those that are no others.
func TestCPUTimeOfTheHarnessIsItsOwn(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	next := chaos.HostLooks()
	p, err := procfs.Read(os.Getpid())
	g.Expect(err).NotTo(HaveOccurred())
	for now := p; now.CPU < p.CPU+200*time.Millisecond; {
		now, err = procfs.Read(os.Getpid())
		g.Expect(err).NotTo(HaveOccurred())
	}
	look := next([]time.Duration{time.Millisecond})
	g.Expect(look.Own).To(BeNumerically(">=", 180*time.Millisecond))
	g.Expect(look.CPUs).To(BeNumerically(">", 0))
	g.Expect(look.Over * time.Duration(look.CPUs)).To(BeNumerically(">", 0))
	g.Expect(look.Late).To(HaveLen(1))
}
