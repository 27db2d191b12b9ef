package reports

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// SchemaVersion is the version of report.json.
const SchemaVersion = 1

// Report is report.json: what a run showed, without its events.
type Report struct {
	SchemaVersion int            `json:"schema_version"`
	Scenario      string         `json:"scenario"`
	Description   string         `json:"description,omitempty"`
	Seed          uint64         `json:"seed"`
	Command       string         `json:"command,omitempty"`
	Started       time.Time      `json:"started"`
	DurationS     float64        `json:"duration_s"`
	Target        history.Target `json:"target"`
	check.Result
	// Skipped names what the host lacks, for a scenario that was not run; its verdict is INCONCLUSIVE.
	Skipped      string             `json:"skipped,omitempty"`
	Faults       []Injection        `json:"faults"`
	Exits        []Exit             `json:"exits"`
	Floors       map[string]float64 `json:"floors,omitempty"`
	Environment  map[string]string  `json:"environment"`
	Capabilities map[string]string  `json:"capabilities,omitempty"`
	// Truncated says what was left out of Faults and Exits, "" when nothing was. The metrics count everything.
	Truncated string `json:"truncated,omitempty"`
}

// Injection is one line of the fault ledger.
type Injection struct {
	N        int              `json:"n"`
	Nemesis  int              `json:"nemesis"`
	Fault    string           `json:"fault"`
	Victim   *history.Victim  `json:"victim,omitempty"`
	DueS     float64          `json:"due_s"`
	AtS      float64          `json:"at_s"` // when it took effect, or was settled
	Outcome  string           `json:"outcome"`
	Fatal    bool             `json:"fatal,omitempty"`
	Receipt  *history.Receipt `json:"receipt,omitempty"`
	HealedS  float64          `json:"healed_s,omitempty"`
	Err      string           `json:"err,omitempty"`
	HealFail string           `json:"heal_failed,omitempty"`
}

// Exit is one end of a member.
type Exit struct {
	AtS    float64 `json:"at_s"`
	Slot   int     `json:"slot"`
	Gen    int     `json:"gen,omitempty"`
	PID    int     `json:"pid"`
	Name   string  `json:"name,omitempty"`
	Reason string  `json:"reason,omitempty"` // the target's own
	Fault  int     `json:"fault,omitempty"`  // the injection that it is a consequence of, 0: none
	history.Exit
}

// maxLedger bounds the ledgers of one report.
const maxLedger = 5000

// Build makes the report of a history that was judged.
func Build(h history.Header, events iter.Seq2[history.Event, error], result check.Result) (*Report, error) {
	r := &Report{
		SchemaVersion: SchemaVersion, Scenario: h.Scenario, Description: h.Description, Seed: h.Seed, Command: h.Command,
		Started: h.Started, Target: h.Target, Result: result, Floors: h.Floors, Environment: h.Environment,
		Capabilities: h.Capabilities, Faults: []Injection{}, Exits: []Exit{},
	}
	b := ledger{r: r, faults: map[int]int{}, killed: map[int]int{}}
	for e, err := range events {
		if err != nil {
			break // judging has said so; what was read is shown
		}
		b.add(e)
	}
	if b.left > 0 {
		r.Truncated = fmt.Sprintf("the first %d of each ledger are shown; %d lines are left out", maxLedger, b.left)
	}
	return r, nil
}

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
	}
	b.r.Exits = append(b.r.Exits, x)
}

// Load reads a report.json.
func Load(path string) (*Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s is not a report: %w", path, err)
	}
	if r.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%s has schema version %d, this respawn reads %d", path, r.SchemaVersion, SchemaVersion)
	}
	return &r, nil
}

// LoadAll reads every DIR/*/report.json, by name.
func LoadAll(dir string) ([]*Report, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "report.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no reports in %s: want %s, as respawn run --out %s leaves them", dir, filepath.Join(dir, "NAME", "report.json"), dir)
	}
	list := make([]*Report, len(paths))
	for i, p := range paths {
		if list[i], err = Load(p); err != nil {
			return nil, err
		}
	}
	return list, nil
}
