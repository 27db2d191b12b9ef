package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// maxLedger bounds the ledgers of one report.
const maxLedger = 5000

// maxStderr bounds the last words of one process, which a target may tell of at any length.
const maxStderr = 16 << 10

// ledger fills a report's lists.
type ledger struct {
	r      *Report
	faults map[int]int // injection → index in r.Faults
	killed map[int]int // pid → the injection that killed it
	left   int
}

func (b *ledger) add(e history.Event) {
	b.r.DurationS = max(b.r.DurationS, e.T.Seconds())
	switch {
	case e.Fault != nil:
		b.fault(e.T, e.Fault)
	case e.Member != nil && e.Member.Op == "exited":
		b.exit(e.T, e.Member)
	}
}

func (b *ledger) fault(t time.Duration, f *history.Fault) {
	i, ok := b.faults[f.N]
	if !ok {
		if len(b.r.Faults) >= maxLedger {
			b.left++
			return
		}
		i = len(b.r.Faults)
		b.faults[f.N] = i
		b.r.Faults = append(b.r.Faults, Injection{N: f.N, Nemesis: f.Nemesis, Fault: f.Fault, DueS: f.Due.Seconds()})
	}
	in := &b.r.Faults[i]
	if f.Victim != nil {
		in.Victim = f.Victim
	}
	switch f.Op {
	case "settled":
		in.AtS, in.Outcome, in.Receipt, in.Fatal, in.Err = t.Seconds(), f.Outcome, f.Receipt, f.Fatal, f.Err
		if f.Receipt != nil && f.Receipt.At > 0 {
			in.AtS = f.Receipt.At.Seconds()
		}
		if f.Fatal && in.Victim != nil {
			b.killed[in.Victim.PID] = f.N
			b.explain(in.Victim.PID, f.N)
		}
	case "healed":
		in.HealedS = t.Seconds()
	case "heal-failed":
		in.HealFail = f.Err
	}
}

// explain ties an exit that came before its receipt to the injection.
func (b *ledger) explain(pid, n int) {
	for i := len(b.r.Exits) - 1; i >= 0 && i >= len(b.r.Exits)-64; i-- {
		if b.r.Exits[i].PID == pid && b.r.Exits[i].Fault == 0 {
			b.r.Exits[i].Fault = n
			return
		}
	}
}

func (b *ledger) exit(t time.Duration, m *history.Member) {
	if len(b.r.Exits) >= maxLedger {
		b.left++
		return
	}
	x := Exit{AtS: t.Seconds(), Slot: m.Slot, Gen: m.Gen, PID: m.PID, Name: m.Name, Reason: m.Reason, Fault: b.killed[m.PID]}
	if m.Exit != nil {
		x.Exit = *m.Exit
		if n := len(x.Stderr) - maxStderr; n > 0 {
			x.Stderr = fmt.Sprintf("… %d bytes before this are in the history\n", n) + strings.ToValidUTF8(x.Stderr[n:], "")
		}
	}
	b.r.Exits = append(b.r.Exits, x)
}
