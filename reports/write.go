package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write puts report.html, report.json, junit.xml and summary.md into the directory, which it makes. Each file appears whole
// or not at all. baseline is for the comparison on the page.
func (r *Report) Write(dir string, baseline []*Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"report.html", func(w io.Writer) error { return r.HTML(w, baseline) }},
		{"report.json", r.JSON},
		{"junit.xml", r.JUnit},
		{"summary.md", r.Markdown},
	} {
		if err := WriteFile(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

// JSON writes the report as report.json has it.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteFile makes a file that appears whole or not at all: it is written beside its place and moved there.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once it was moved
	err = write(f)
	if modeErr := f.Chmod(0o644); err == nil {
		err = modeErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
