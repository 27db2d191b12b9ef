package foreign

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
)

// Family lists the living descendants, the program itself not included, by pid. Whom it has listed once it knows again:
// a process that is just becoming another program (execve) has no environment to be known by for a moment, which on a
// busy machine is long.
func (p *Program) Family() (procfs.Table, error) {
	all, err := procfs.Snapshot()
	if err != nil {
		return nil, err
	}
	family, numbered := procfs.Table{}, p.numbered() // after the snapshot: then its number was its own in it
	for pid, proc := range all {
		if pid == p.pid || pid == os.Getpid() || !proc.Alive() {
			continue
		}
		if p.kin.has(pid) || p.carriesSign(pid) ||
			numbered && all.Has(pid, func(ancestor int) bool { return ancestor == p.pid }) {
			family[pid] = proc
		}
	}
	for pid := range family {
		p.kin.add(pid, p.Owns)
	}
	return family, nil
}

// Left waits until no descendant of the program, which has ended, is left, and returns those that are there after that
// time. One look that finds nobody is not enough: what was started since the last one may just be becoming another
// program (execve), and have no environment to know it by. So none of those that the host has started since the program
// may be without one at the second look, for as long as a busy host may need.
func (p *Program) Left(ctx context.Context, within time.Duration) procfs.Table {
	began := time.Now()
	deadline := began.Add(within)
	pause := 10 * time.Millisecond // more and more: a look at every process of the host takes milliseconds
	for nobody := 0; nobody < 2; time.Sleep(pause) {
		family, err := p.Family()
		switch {
		case err != nil:
			return nil
		case len(family) == 0 && time.Since(began) < becomes && p.someoneBecomes():
			nobody = 0
		case len(family) == 0:
			nobody++
		case time.Now().After(deadline) || ctx.Err() != nil:
			return family
		default:
			nobody, pause = 0, min(2*pause, 100*time.Millisecond)
		}
	}
	return nil
}

// becomes is how long a busy host may take over an execve. A process that wants no environment holds nobody up for
// longer.
const becomes = time.Second

// someoneBecomes tells whether a process that was started after the program has no environment.
func (p *Program) someoneBecomes() bool {
	all, err := procfs.Snapshot()
	if err != nil {
		return false
	}
	for pid, proc := range all {
		if proc.Alive() && !proc.Kernel && proc.Started >= p.began && procfs.Bare(pid) {
			return true
		}
	}
	return false
}

// Owns tells whether pid is a living descendant: only then may it be signalled.
func (p *Program) Owns(pid int) bool {
	if pid <= 1 || pid == p.pid || pid == os.Getpid() {
		return false
	}
	proc, err := procfs.Read(pid)
	if err != nil || !proc.Alive() {
		return false
	}
	if p.kin.has(pid) || p.carriesSign(pid) {
		return true
	}
	for range 64 { // a deeper family than this is not believed
		if proc.PPID == p.pid {
			return p.numbered()
		}
		if proc.PPID <= 1 {
			return false
		}
		if proc, err = procfs.Read(proc.PPID); err != nil { // it has just ended: pid has another parent now
			if proc, err = procfs.Read(pid); err != nil || !proc.Alive() {
				return false
			}
		}
	}
	return false
}

// carriesSign tells whether pid is in the program's session or carries its marker. A server that writes over its
// environment to set its title has only the first sign, a daemon that makes a session of its own only the second.
func (p *Program) carriesSign(pid int) bool {
	session, err := unix.Getsid(pid)
	return err == nil && session == p.pid && (p.numbered() || unix.Kill(p.pid, 0) == unix.ESRCH) ||
		procfs.Marked(pid, reexec.Entry(p.marker))
}

// kin are processes that were once known as descendants, held so that their numbers are their own. The zero value is
// ready. Safe for concurrent use.
type kin struct {
	mu   sync.Mutex
	held map[int]*Held
}

// has tells whether pid is one of them, and lives.
func (k *kin) has(pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.held[pid]
	return h != nil && !h.Gone()
}

// add holds pid, if it is one still when it is held. The dead are let go of.
func (k *kin) add(pid int, isOne func(pid int) bool) {
	if k.has(pid) {
		return
	}
	h, err := Hold(pid)
	if err != nil {
		return
	}
	if !isOne(pid) {
		h.Release()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for pid, old := range k.held {
		if old.Gone() {
			old.Release()
			delete(k.held, pid)
		}
	}
	if k.held == nil {
		k.held = make(map[int]*Held)
	}
	if old := k.held[pid]; old != nil { // added meanwhile, or dead
		old.Release()
	}
	k.held[pid] = h
}

// release lets go of them all.
func (k *kin) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.held {
		h.Release()
	}
	k.held = nil
}
