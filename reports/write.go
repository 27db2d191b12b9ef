package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write puts report.html, report.json, junit.xml and summary.md into the directory, which it makes. Each file appears
// whole or not at all. baseline is for the comparison on the page, which leads back to the index where one lies beside
// the directory.
func (r *Report) Write(dir string, baseline []*Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "index.html")); err == nil {
		r.index = "../index.html"
	}
	r.beside = nil
	for _, name := range []string{historyFile, "junit.xml", "summary.md", reportFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil || name != historyFile {
			r.beside = append(r.beside, link{name, name})
		}
	}
	for i, write := range []func(io.Writer) error{
		func(w io.Writer) error { return r.HTML(w, baseline) },
		func(w io.Writer) error { return r.JUnit(w, runIn(dir, r.Scenario)) },
		func(w io.Writer) error { return r.Markdown(w, baseline) },
		r.JSON,
	} {
		if err := WriteFile(filepath.Join(dir, files[i]), write); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

// runIn is what a run is called by its directory: the scenario's name, or with a number behind it.
func runIn(dir, scenario string) string {
	if abs, err := filepath.Abs(dir); err == nil && strings.HasPrefix(filepath.Base(abs), scenario+".") {
		return filepath.Base(abs)
	}
	return scenario
}

// files is what Write leaves. The one that programs read is the last.
var files = [...]string{"report.html", "junit.xml", "summary.md", reportFile}

const reportFile = "report.json"

// historyFile is the run's history, which Write is not for and which lies beside its files.
const historyFile = "history.jsonl"

// Remove takes away what runs of the scenario have left in dir: NAME, NAME.2, NAME.3 and so on. Files that are no run's
// stay, and so does their directory. ErrTaken, and nothing is removed, if one of them is going on.
func Remove(dir, scenario string) error {
	runs, err := takeAll(dir, scenario)
	if err != nil {
		return err
	}
	for _, t := range runs {
		defer t.Release()
		err := t.clear()
		if err == nil {
			err = t.Finish()
		}
		if err != nil {
			return fmt.Errorf("replace the last runs: %w", err)
		}
		_ = os.Remove(t.path) // it stays when somebody else has files there
	}
	return nil
}

// JSON writes the report as report.json has it.
func (r *Report) JSON(w io.Writer) error { return jsonOf(r)(w) }

func jsonOf(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
}
