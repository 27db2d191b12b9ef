package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// maxLedger bounds the ledgers of one report.
const maxLedger = 5000

// The most bytes of what a target, a task or a file may say at any length.
const (
	maxName = 200
	maxText = 2 << 10
)

// maxStderr bounds the last words of one process, which a target may tell of at any length.
const maxStderr = 16 << 10

// allStderr bounds the last words of all processes together.
const allStderr = 512 << 10

// ledger fills a report's lists.
type ledger struct {
	r      *Report
	faults map[int]int // injection → index in r.Faults
	line   int         // of the event at hand
	left   int
	stderr int // bytes kept
}

func (b *ledger) add(e history.Event) {
	b.line++
	switch {
	case e.Fault != nil:
		b.fault(e.T, e.Fault)
	case e.Member != nil && e.Member.Op == history.Exited:
		b.exit(e.T, e.Member)
	}
}

func (b *ledger) fault(t time.Duration, f *history.Fault) {
	i, ok := b.faults[f.N]
	if !ok {
		if len(b.r.Faults) >= maxLedger {
			if f.Op == history.Planned {
				b.left++
			}
			return
		}
		i = len(b.r.Faults)
		b.faults[f.N] = i
		b.r.Faults = append(b.r.Faults, Injection{N: f.N, Nemesis: f.Nemesis, Fault: clip(f.Fault, maxName), DueS: f.Due.Seconds()})
	}
	in := &b.r.Faults[i]
	in.lines = append(in.lines, b.line)
	if f.Victim != nil {
		v := *f.Victim
		v.Name, v.Phase = clip(v.Name, maxName), clip(v.Phase, maxName)
		in.Victim = &v
	}
	switch f.Op {
	case history.Concluded:
		in.AtS, in.Outcome, in.Receipt, in.Fatal, in.Err = t.Seconds(), f.Outcome, clipReceipt(f.Receipt), f.Fatal, clip(f.Err, maxText)
		if f.Receipt != nil && f.Receipt.At > 0 {
			in.AtS = f.Receipt.At.Seconds()
		}
	case history.Healed:
		in.HealedS = t.Seconds()
	case history.HealFailed:
		in.HealFail = clip(f.Err, maxText)
	}
}

// explain ties the exits to what the judge found to have caused them.
func (b *ledger) explain(causes map[int]int) {
	for k := range b.r.Exits {
		x := &b.r.Exits[k]
		n := causes[x.line]
		x.unexplained = n == check.Unexplained
		if n <= 0 {
			continue
		}
		x.Fault = n
		if i, ok := b.faults[n]; ok {
			x.complete(b.r.Faults[i].Receipt)
		}
	}
}

func (b *ledger) exit(t time.Duration, m *history.MemberEvent) {
	if len(b.r.Exits) >= maxLedger {
		b.left++
		return
	}
	x := Exit{AtS: t.Seconds(), Slot: m.Slot, Gen: m.Gen, PID: m.PID, Name: clip(m.Name, maxName), Reason: clip(m.Reason, maxName), line: b.line}
	x.Exit = history.Exit{Code: -1, Kind: unknown}
	if m.Exit != nil {
		x.Exit = *m.Exit
		x.Signal, x.Kind, x.OOM = clip(x.Signal, maxName), clip(x.Kind, maxName), clip(x.OOM, maxText)
		keep := min(maxStderr, max(0, allStderr-b.stderr))
		if n := len(x.Stderr) - keep; n > 0 {
			x.Stderr = fmt.Sprintf("… %d bytes before this are in the history\n", n) + strings.ToValidUTF8(x.Stderr[n:], "")
		}
	}
	b.stderr += len(x.Stderr)
	b.r.Exits = append(b.r.Exits, x)
}

// maxEvidence bounds the facts of one receipt.
const maxEvidence = 32

func clipReceipt(r *history.Receipt) *history.Receipt {
	if r == nil {
		return nil
	}
	c := *r
	c.Tier, c.Mechanism, c.Evidence = clip(r.Tier, maxName), clip(r.Mechanism, maxName), clipMap(r.Evidence, maxEvidence)
	c.PIDs = r.PIDs[:min(len(r.PIDs), maxText)]
	return &c
}

// clipMap keeps the first entries by name, and the beginning of each.
func clipMap(m map[string]string, most int) map[string]string {
	if m == nil {
		return nil
	}
	c := make(map[string]string, min(len(m), most))
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i == most {
			c["…"] = fmt.Sprintf("%d more are in the history", len(m)-most)
			break
		}
		c[clip(k, maxName)] = clip(m[k], maxText)
	}
	return c
}

// clip is the beginning of a text, which says so if there was more.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes more)", len(s)-most)
}
