package chaos

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
)

// Victim is a member that is held by a pidfd: whatever is done to it through the victim is done to that process and to
// no other one, even when it has ended and its number belongs to somebody else. Safe for concurrent use.
type Victim struct {
	Member
	Rank int    // its place among those that could be picked
	Call string // the system call that it had last entered when it was struck; "" if that was not looked at

	pidfd  *os.File
	exited chan struct{} // closed when the process has ended
	diedAt time.Duration // valid once exited is closed
	once   sync.Once
}

// Exited is closed when the victim's process has ended, reaped or not.
func (v *Victim) Exited() <-chan struct{} { return v.exited }

// Gone tells whether the victim's process has ended.
func (v *Victim) Gone() bool {
	select {
	case <-v.exited:
		return true
	default:
		return false
	}
}

// Alive asks the kernel; Gone may learn of an end later.
func (v *Victim) Alive() bool { return !pidfd.Ended(v.pidfd) }

// Await waits for the end of the victim's process and returns when it was seen; the error is ctx's.
func (v *Victim) Await(ctx context.Context) (at time.Duration, err error) {
	select {
	case <-v.exited:
		return v.diedAt, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// release lets go of the process.
func (v *Victim) release() { v.once.Do(func() { v.pidfd.Close() }) }

// record is the victim as it is written to the history.
func (v *Victim) record() *history.Victim {
	return &history.Victim{
		Slot: v.Slot, Gen: v.Generation, PID: v.PID, Name: v.Name, Phase: v.Phase, Call: v.Call, Rank: v.Rank,
	}
}

// lineage is this process and its ancestors, which change only by their deaths, so that they are read once.
var lineage = sync.OnceValue(func() []int {
	return append([]int{0, 1, os.Getpid()}, procfs.Ancestors(os.Getpid())...)
})

// Protected tells why a process is never a victim, whoever lists it: it is init, this process, an ancestor of it, or a
// thread of the kernel. nil for any other. Every aim goes through it. Errors: *RefusedError.
func Protected(pid int) error {
	if slices.Contains(lineage(), pid) || pid < 0 {
		return Refuse("pid %d must not be a victim: it is init, this process or an ancestor of it", pid)
	}
	if p, err := procfs.Read(pid); err == nil && p.Kernel {
		return Refuse("pid %d must not be a victim: it is a thread of the kernel", pid)
	}
	return nil
}

// hold takes hold of a member, at a rank among those that could be picked. The pidfd is opened first and everything
// known of the member is checked after that, against a listing made after it too: a number that has passed to another
// process in between fails one of the checks. Errors: ErrGone; *RefusedError for a process that must not be a victim.
func hold(ctx context.Context, t Target, m Member, rank int, clock *clock) (*Victim, error) {
	if err := Protected(m.PID); err != nil {
		return nil, err
	}
	v := &Victim{Member: m, Rank: rank, exited: make(chan struct{})}
	var err error
	if v.pidfd, err = HoldProcess(m.PID); err != nil {
		return nil, err
	}
	if err := v.verify(ctx, t); err != nil {
		v.pidfd.Close()
		return nil, err
	}
	go func() {
		if pidfd.Await(v.pidfd) == nil {
			v.diedAt = clock.now()
			close(v.exited)
		}
	}()
	return v, nil
}

// verify makes sure that the held process is the member that was picked.
func (v *Victim) verify(ctx context.Context, t Target) error {
	s, supervised := t.(Supervised)
	m, marked := t.(Marked)
	descends := supervised && slices.Contains(procfs.Ancestors(v.PID), s.Supervisor())
	// it may have become a daemon, which others adopt
	carries := marked && procfs.Marked(v.PID, MarkerEntry(m.Marker()))
	if (supervised || marked) && !descends && !carries {
		return ErrGone
	}
	p, err := procfs.Read(v.PID)
	if err != nil || !p.Alive() {
		return ErrGone
	}
	members, err := t.Members(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(members, func(m Member) bool {
		return m.PID == v.PID && m.Slot == v.Slot && m.Generation == v.Generation && m.Name == v.Name
	})
	if g, ok := t.(Guarded); ok && i >= 0 {
		if err := g.Strikable(members[i]); err != nil {
			return err
		}
	}
	// What was read under this number was the held process's if that is alive still.
	if i < 0 || pidfd.Ended(v.pidfd) {
		return ErrGone
	}
	v.Member = members[i]
	return nil
}

// HoldProcess opens a pidfd. Errors: ErrGone; *RefusedError where there are none.
func HoldProcess(pid int) (*os.File, error) {
	f, err := pidfd.Open(pid)
	switch {
	case errors.Is(err, syscall.ESRCH), errors.Is(err, syscall.EINVAL): // EINVAL: the number of a thread
		return nil, ErrGone
	case err != nil:
		return nil, Refuse("this host gives no pidfd: %v", err)
	}
	return f, nil
}

// MarkerEntry is the environment entry that every descendant of a marked target carries.
func MarkerEntry(id string) string { return reexec.Entry(id) }

// now is the member in the victim's slot at this moment, if it is the victim still.
func (v *Victim) now(ctx context.Context, t Target) (Member, error) {
	members, err := t.Members(ctx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range members {
		if m.PID == v.PID && m.Slot == v.Slot && m.Generation == v.Generation {
			return m, nil
		}
	}
	return Member{}, ErrGone
}
