package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CSV writes a row for each span. A text that a spreadsheet would take for a formula has an apostrophe in front.
func (r *Run) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"kind", "id", "parent", "name", "start_s", "end_s", "slot", "pid", "failed", "facts"})
	for _, s := range r.Spans {
		parent, slot, pid := "", "", ""
		if s.Parent != nil {
			parent = string(s.Parent.Kind) + " " + s.Parent.ID
		}
		if s.Slot >= 0 {
			slot = strconv.Itoa(s.Slot)
		}
		if s.PID > 0 {
			pid = strconv.Itoa(s.PID)
		}
		var facts []string
		for _, name := range slices.Sorted(maps.Keys(s.Facts)) {
			facts = append(facts, name+"="+s.Facts[name])
		}
		_ = out.Write([]string{
			string(s.Kind), s.ID, parent, inert(s.Name), inSeconds(s.Start), inSeconds(s.End), slot, pid,
			inert(s.Failed), inert(strings.Join(facts, "; ")),
		})
	}
	out.Flush()
	return out.Error()
}

func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// inert keeps a spreadsheet from calculating what a worker wrote.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// annotation is one of Grafana's, as POST /api/annotations takes it. Times are in milliseconds.
type annotation struct {
	Time    int64    `json:"time"`
	TimeEnd int64    `json:"timeEnd"`
	Tags    []string `json:"tags"`
	Text    string   `json:"text"`
}

// Grafana writes an annotation a line: the run, its faults, recoveries and alarms, and the tasks that did not end well.
func (r *Run) Grafana(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, s := range r.Spans {
		switch s.Kind {
		case OfRun, OfFault, OfRecovery, OfAlarm:
		case OfTask:
			if s.Failed == "" {
				continue
			}
		default:
			continue
		}
		what := s.Title()
		if s.Kind == OfFault || s.Kind == OfTask {
			what = strings.TrimSuffix(fmt.Sprintf("%s %s: %s", s.Kind, s.ID, s.Name), ": ")
		}
		if s.Kind == OfFault && s.Slot >= 0 {
			what += fmt.Sprintf(" on slot %d pid %d", s.Slot, s.PID)
		}
		if s.Failed != "" {
			what += ": " + s.Failed
		}
		err := enc.Encode(annotation{
			Time: r.wall(s.Start).UnixMilli(), TimeEnd: r.wall(s.End).UnixMilli(), Text: what,
			Tags: []string{
				"respawn", string(s.Kind), r.Header.Scenario, "seed " + strconv.FormatUint(r.Header.Seed, 10),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
