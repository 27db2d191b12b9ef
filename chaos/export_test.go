package chaos

import (
	"os"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// HasExitInfo tells whether this kernel remembers how a reaped process ended.
func HasExitInfo() bool { return hasExitInfo() }

// Blind makes the list of all processes fail until see is called.
func Blind(err error) (see func()) {
	blinded.Store(&err)
	return func() { blinded.Store(nil) }
}

// OwnTime follows the CPU time of that process, of this one, and of what descends from them, from table to table.
func OwnTime(parent int) func(procfs.Table) time.Duration {
	o := ownTime{parent: parent}
	return o.since
}

// Accounts is what a run records of that target's account.
func Accounts(t Target) (all []*history.Account) {
	x := &experiment{Run: &Run{Target: t}, clock: newClock(), rec: recorder(func(e history.Event) {
		if e.Account != nil {
			all = append(all, e.Account)
		}
	})}
	x.account(false)
	return all
}

type recorder func(history.Event)

func (r recorder) Append(e history.Event) error { r(e); return nil }
func (r recorder) Close(bool) error             { return nil }

// HostLooks looks at the host: what it returns tells what happened since the last look.
func HostLooks() func(late []time.Duration) history.Host {
	x := &experiment{Run: &Run{}, clock: newClock(), sampler: &sampler{parent: os.Getpid()}}
	return newHostWatch(x).read
}
