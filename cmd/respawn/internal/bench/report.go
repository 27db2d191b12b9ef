package bench

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scratch"
)

// reportTasks is how many tasks make a history of a million events: each is submitted, run and settled.
const reportTasks = 333_000

// measureReport takes a history of a million events from its file to its page: read, judged, drawn and written.
func measureReport(ctx context.Context, s *session) error {
	dir, remove, err := scratch.Dir("respawn-bench-")
	if err != nil {
		return err
	}
	defer remove()
	history := filepath.Join(dir, scenarios.HistoryFile)
	if err := (storm.Storm{Tasks: reportTasks, Kills: 200}).Write(history); err != nil {
		return err
	}
	data, err := os.ReadFile(history) // from the page cache from here on: the disk is not what is measured
	if err != nil {
		return err
	}
	events := bytes.Count(data, []byte{'\n'}) - 1 // less the header
	var took, size []float64
	err = s.each(ctx, func() error {
		began := time.Now()
		r, err := reports.Judge(history)
		if err != nil {
			return err
		}
		if err := r.Write(dir, nil); err != nil {
			return err
		}
		if r.Verdict != reports.Pass {
			s.problem("report: a history in which all went well was judged %s: %s", r.Verdict, r.Cause)
		}
		took = append(took, time.Since(began).Seconds())
		page, err := os.Stat(filepath.Join(dir, "report.html"))
		if err != nil {
			return err
		}
		size = append(size, float64(page.Size())/1e6)
		return nil
	})
	if err != nil {
		return err
	}
	s.Report = &Report{Events: events, Seconds: median(took), HTMLMB: median(size)}
	return nil
}
