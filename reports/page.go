package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": seconds, "value": value, "cells": cells, "lower": lower, "safe": safe, "word": verdictWord,
}).Parse(pageText))

// HTML writes the report as one page that needs nothing beside itself: no network, and for reading no JavaScript. baseline
// is earlier reports of the same scenario, for the comparison; it may be empty.
func (r *Report) HTML(w io.Writer, baseline []*Report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	v := pageView{
		Report: r, Style: template.CSS(pageStyle), Script: template.JS(pageScript), //nolint:gosec // our own files
		Policy:  fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", digest(pageStyle), digest(pageScript)),
		Figures: r.figures(), Tasks: r.troubledTasks(), Matrix: r.exitMatrix(), Coverage: r.coverage(), Lineage: r.lineage(),
		Diff: r.diff(baseline), Notes: r.plots.notes, Source: r.source, Data: data, Failed: r.Verdict != check.Pass,
		Lost: r.plots.lost,
	}
	if cut := len(r.Faults) - shownFaults; cut > 0 {
		v.FaultsCut = cut
	}
	v.Shown = r.Faults[:min(len(r.Faults), shownFaults)]
	var out bytes.Buffer // a page that fails half-way must not look whole
	if err := page.Execute(&out, v); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

const shownFaults = 1000

// pageView is what the template shows.
type pageView struct {
	*Report
	Style     template.CSS
	Script    template.JS
	Policy    string
	Figures   []Figure
	Shown     []Injection
	FaultsCut int
	Tasks     taskTable
	Matrix    table
	Coverage  table
	Lineage   table
	Diff      table
	Notes     []string
	Lost      uint64
	Source    string
	Data      json.RawMessage
	Failed    bool
}

// table is a plain table: header and rows, and a note on what was left out.
type table struct {
	Columns []string
	Rows    [][]cell
	Note    string
}

// cell is a text and the class of its look: "", good, bad, none.
type cell struct{ Text, Class string }

func cells(texts ...string) []cell {
	list := make([]cell, len(texts))
	for i, t := range texts {
		list[i].Text = t
	}
	return list
}

// digest is a source for the Content-Security-Policy that allows exactly this inline text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// value writes a metric's number with its unit.
func value(metric string, v float64) string {
	switch u := unitOf(metric); u {
	case check.Seconds:
		return seconds(v)
	case check.Bytes:
		return size(v)
	default:
		return u.Format(v)
	}
}

// safe is text without control characters, which HTML does not allow and terminals obey; line ends stay.
func safe(s string) string {
	const most = 64 << 10
	s = strings.ToValidUTF8(s, "�")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("\n… %d more bytes are in the history", len(s)-most)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '␀' + r // the control pictures of Unicode
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // C1, and marks that turn text around
			return '�'
		}
		return r
	}, s)
}

// taskTable is the ledger of submissions that did not simply succeed.
type taskTable struct {
	Rows []taskRow
	Note string
}

type taskRow struct {
	ID                 uint64
	Outcome            string
	Submitted, Settled string
	Attempts           int
	Err                string
	Runs               []string
	Bad                bool
}

// troubledTasks lists what was retried, failed, or never settled.
func (r *Report) troubledTasks() (t taskTable) {
	var ids []uint64
	for id := range r.plots.tasks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if n := len(ids) - maxTroubled; n > 0 {
		ids = ids[:maxTroubled]
		t.Note = fmt.Sprintf("The first %d are shown, %d are left out; report.json and the history have all.", maxTroubled, n)
	}
	for _, id := range ids {
		l := r.plots.tasks[id]
		row := taskRow{ID: id, Outcome: string(l.outcome), Submitted: seconds(l.submitted.Seconds()), Settled: "never", Attempts: l.attempts, Err: l.err}
		if l.settled >= 0 {
			row.Settled = seconds(l.settled.Seconds())
		} else {
			row.Outcome = "never settled"
		}
		row.Bad = l.outcome != "ok"
		for _, run := range l.runs {
			end := "did not end"
			if run.End > 0 {
				end = "to " + seconds(run.End.Seconds())
			}
			row.Runs = append(row.Runs, fmt.Sprintf("attempt %d on pid %d from %s %s", run.Attempt, run.PID, seconds(run.Start.Seconds()), end))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func lower(v check.Verdict) string { return strings.ToLower(string(v)) }
