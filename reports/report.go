package reports

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// SchemaVersion is the version of report.json.
const SchemaVersion = 1

// Report is report.json: what a run showed, without its events.
type Report struct {
	Facts
	check.Result

	source string
	beside []link // the other files of the run, from this report's
	story  *story // of its gravest finding, nil without one
	bySlot map[int][]*ledger.Life
	index  string // the address of the page over all runs, from this report's, "" without one
}

// Facts is what a report tells beside the judgement.
type Facts struct {
	SchemaVersion int    `json:"schema_version"`
	Scenario      string `json:"scenario"`
	Description   string `json:"description,omitempty"`
	Seed          uint64 `json:"seed"`
	// tells this run from every other; copies of its files have it too
	Run       string         `json:"run,omitempty"`
	Test      string         `json:"test,omitempty"` // that made the run
	Command   string         `json:"command,omitempty"`
	Started   time.Time      `json:"started"`
	DurationS float64        `json:"duration_s"`
	Target    history.Target `json:"target"`
	// Experiment is a digest of what the scenario asks for: runs with another one are not to be compared.
	Experiment string `json:"experiment,omitempty"`
	// Skipped names what the host lacks, for a scenario that was not run; its verdict is INCONCLUSIVE.
	Skipped string `json:"skipped,omitempty"`
	// NotInstalled says how to get the target's program, for a run that could not begin without it; its verdict is
	// ERROR.
	NotInstalled string             `json:"not_installed,omitempty"`
	Faults       []Injection        `json:"faults"`
	Exits        []Exit             `json:"exits"`
	Floors       map[string]float64 `json:"floors,omitempty"`
	Environment  map[string]string  `json:"environment"`
	Capabilities map[string]string  `json:"capabilities,omitempty"`
	// Truncated says what was left out of Faults and Exits, "" when nothing was. The metrics count everything.
	Truncated string `json:"truncated,omitempty"`
}

// Fail adds a reason for a verdict that the history does not tell, as the first: the harness failed beside it.
func (r *Report) Fail(v Verdict, text string) {
	r.Verdict, r.Cause = v, text
	r.Findings = append([]check.Finding{{Verdict: v, Code: check.HarnessFailed, Text: text}}, r.Findings...)
}

// MarshalJSON writes the facts and the judgement as one object. A list with nothing in it, as of a run that never
// began, is a list all the same.
func (r Report) MarshalJSON() ([]byte, error) {
	r.Faults, r.Exits = append([]Injection{}, r.Faults...), append([]Exit{}, r.Exits...)
	r.Findings, r.Thresholds = append([]check.Finding{}, r.Findings...), append([]check.Threshold{}, r.Thresholds...)
	facts, err := json.Marshal(r.Facts)
	if err != nil {
		return nil, err
	}
	result, err := json.Marshal(r.Result)
	if err != nil {
		return nil, err
	}
	return append(append(facts[:len(facts)-1], ','), result[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Report) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &r.Facts); err != nil {
		return err
	}
	return json.Unmarshal(data, &r.Result)
}

// Injection is one line of the fault ledger.
type Injection struct {
	N        int                  `json:"n"`
	Nemesis  int                  `json:"nemesis"`
	Fault    string               `json:"fault"`
	Victim   *history.Victim      `json:"victim,omitempty"`
	DueS     float64              `json:"due_s"`
	AtS      float64              `json:"at_s"` // when it took effect, or was settled
	Outcome  history.FaultOutcome `json:"outcome"`
	Fatal    bool                 `json:"fatal,omitempty"`
	Receipt  *history.Receipt     `json:"receipt,omitempty"`
	HealedS  float64              `json:"healed_s,omitempty"`
	Err      string               `json:"err,omitempty"`
	HealFail string               `json:"heal_failed,omitempty"`

	lines []int // of the history that tell of it
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

	line        int  // of the history
	unexplained bool // nothing accounts for it
}

// unknown is the kind of an end that the target did not see.
const unknown = "unknown"

// complete takes from the receipt how it was, if the target does not tell.
func (x *Exit) complete(r *history.Receipt) {
	if x.Kind != unknown || r == nil {
		return
	}
	ended := r.Evidence["ended"]
	if signal, ok := strings.CutPrefix(ended, "signal "); ok {
		x.Signal = ledger.Clip(signal, maxName)
	} else if code, ok := strings.CutPrefix(ended, "exit "); ok {
		if n, err := strconv.Atoi(code); err == nil {
			x.Code = n
		}
	}
}

// end is the signal or the exit code.
func (x Exit) end() string {
	switch {
	case x.Signal != "":
		return x.Signal
	case x.Code < 0 && x.Kind == unknown:
		return "unknown end"
	}
	return fmt.Sprintf("exit code %d", x.Code)
}

// how is the end in words.
func (x Exit) how() string {
	s := x.end()
	switch {
	case x.OOM != "":
		s += ", out of memory (" + x.OOM + ")"
	case x.Fault > 0:
		s += fmt.Sprintf(", by fault #%d", x.Fault)
	case x.Reason != "":
		s += ", by the target: " + x.Reason
	}
	return s
}
