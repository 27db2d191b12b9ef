package bench

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/scenarios"
)

const reportEvents = 1_000_000

// measureReport judges a history of a million events and writes its reports, as `respawn report` does.
func measureReport(ctx context.Context, s *session) error {
	dir, err := os.MkdirTemp("", "respawn-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.jsonl")
	if err := writeHistory(path, reportEvents); err != nil {
		return err
	}
	var seconds []float64
	err = s.each(ctx, func() error {
		began := time.Now()
		r, err := scenarios.Judge(path)
		if err == nil {
			err = r.Write(dir, nil)
		}
		seconds = append(seconds, time.Since(began).Seconds())
		if err == nil && r.Verdict != "PASS" {
			s.problem("report: a history in which all went well was judged %s: %s", r.Verdict, r.Cause)
		}
		return err
	})
	if err != nil {
		return err
	}
	page, err := os.Stat(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	s.Report = &Report{Events: reportEvents, Seconds: median(seconds), HTMLMB: float64(page.Size()) / 1e6}
	return nil
}
