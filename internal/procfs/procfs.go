// Package procfs looks at processes from outside, through /proc: what the chaos engine believes of a pool is what the
// kernel says of its processes, not what the pool says of itself.
//
// Every answer is about one moment and may be wrong the next one; whoever acts on a process holds it by a pidfd.
package procfs

import "time"

// Proc is one process as /proc/PID/stat tells of it.
type Proc struct {
	PID, PPID int
	// State is its state letter: R running, S sleeping, D in the kernel, T stopped, t traced, Z zombie, X dead.
	State   byte
	Started time.Duration // since the boot of the system, in ticks of 10 ms
	CPU     time.Duration // user and system time so far
	Reaped  time.Duration // the same of its children that it has waited for, and of theirs
	RSS     int64         // resident set in bytes
	Kernel  bool          // a thread of the kernel
	// Exiting says that it is on its way to become a zombie: its memory, and what it was started with, is gone by then,
	// though its state still is that of the living.
	Exiting bool
}

// Alive tells whether the process can still run: zombies and the dead cannot.
func (p Proc) Alive() bool { return p.PID != 0 && p.State != 'Z' && p.State != 'X' }

// Table is every process at one moment, by pid.
type Table map[int]Proc

// Has tells whether the chain of pid's parents, pid itself included, has a process that in accepts.
func (t Table) Has(pid int, in func(pid int) bool) bool {
	for range len(t) + 1 { // bounded: a table read while processes come and go may have a cycle
		if in(pid) {
			return true
		}
		p, ok := t[pid]
		if !ok || p.PPID == 0 {
			return false
		}
		pid = p.PPID
	}
	return false
}

// Descendants lists the children of pid, theirs, and so on.
func (t Table) Descendants(pid int) (list []int) {
	for other := range t {
		if other != pid && t.Has(other, func(p int) bool { return p == pid }) {
			list = append(list, other)
		}
	}
	return list
}

// Ancestors lists the parents of pid up to the first process, as far as they can be read.
func Ancestors(pid int) (list []int) {
	for {
		p, err := Read(pid)
		if err != nil || p.PPID == 0 || len(list) > 4096 {
			return list
		}
		pid = p.PPID
		list = append(list, pid)
	}
}

// CPUTimes is what CPUs have done since the system booted, all of them together, in ticks of 10 ms each.
type CPUTimes struct {
	CPUs   int           // how many
	Busy   time.Duration // at work, interrupts included
	Nice   time.Duration // at work for processes that give way to others (a nice value above 0)
	Stolen time.Duration // wanted, but given to other machines by the hypervisor
	Idle   time.Duration // nothing to do, or waiting for a disk
}

// Signals is a set of signals as /proc/PID/status prints one.
type Signals uint64

// Has tells whether the set has that signal.
func (s Signals) Has(signal int) bool { return signal > 0 && s>>(signal-1)&1 == 1 }

// Dispositions says what a process does with signals.
type Dispositions struct{ Pending, Blocked, Ignored, Caught Signals }
