package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/shrink"
)

// shrinkFlags is what the command line of shrink says.
type shrinkFlags struct {
	out     string
	within  time.Duration
	runs    int
	often   int // percent
	confirm int
	jobs    int
	fresh   bool
	noExec  bool
	asJSON  bool
}

func newShrink() *cobra.Command {
	var f shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink HISTORY|DIR",
		Short: "Find the fewest injections that still make a run fail in the same way",
		Long: `Take the injections of a run that failed and inject fewer and fewer of them, for as long as the run still has the
same finding: the same code and metric, whatever the words. Then weaker ones (a pause in place of
a kill), further apart, under less load, against fewer workers. Each candidate is run a few times,
for races do not show each time.

Leaves OUT/NAME-shrunk/scenario.yaml, which 'respawn run' takes, with the report of its last failing
run. The search ends when nothing can be left out, when --for is over, or on Ctrl-C, with the best so
far; shrink.json beside the history keeps what was found out, and the same command goes on from it.

Exit codes: 0 something smaller was found or nothing smaller fails, 2 usage or a history without a
failure, 3 the recorded injections do not give the finding again, 5 harness error, 130 interrupted.`,
		Example: "  respawn shrink respawn-out/random-kill\n  respawn shrink respawn-out/random-kill --for 20m " +
			"--runs 10 --often 20",
		Args: needs("which history?", false),
		RunE: func(cmd *cobra.Command, args []string) error { return shrinkHistory(cmd, args[0], f) },
	}
	cmd.Flags().StringVar(&f.out, "out", "respawn-shrunk", "directory for what is found")
	cmd.Flags().DurationVar(&f.within, "for", 5*time.Minute, "how long to search at most")
	cmd.Flags().IntVar(&f.runs, "runs", 3, "how often each candidate is run at most")
	cmd.Flags().IntVar(&f.often, "often", 60, "a candidate is kept if it fails in so many of 100 runs")
	cmd.Flags().IntVar(&f.confirm, "confirm", 10, "how often what is found is run at the end")
	cmd.Flags().IntVar(&f.jobs, "jobs", 1,
		"how many runs of a candidate are made at once; 1 where two targets are in each other's way, as by a port")
	cmd.Flags().BoolVar(&f.fresh, "fresh", false, "begin anew, whatever an earlier search has found out")
	cmd.Flags().BoolVar(&f.noExec, "no-exec", false, "refuse scenarios that start a program of their own")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the result as one JSON object, and no progress")
	return cmd
}

// valid reports what is wrong with the flags.
func (f shrinkFlags) valid() error {
	switch {
	case f.runs < 1:
		return usage("--runs is %d: want 1 or more", f.runs)
	case f.often < 1 || f.often > 100:
		return usage("--often is %d: want 1 to 100, in percent", f.often)
	case f.confirm < 1:
		return usage("--confirm is %d: want 1 or more", f.confirm)
	case f.jobs < 1:
		return usage("--jobs is %d: want 1 or more", f.jobs)
	case f.within <= 0:
		return usage("--for is %v: want a time such as 5m", f.within)
	}
	return nil
}

// shrunk is what the command prints as JSON.
type shrunk struct {
	Before     int            `json:"before"`     // injections in the history
	Injections int            `json:"injections"` // that suffice
	Failed     int            `json:"failed"`     // of so many runs of those
	Runs       int            `json:"runs"`
	Finding    shrink.Finding `json:"finding"`
	Sentence   string         `json:"sentence"`
	Complete   bool           `json:"complete"` // nothing more can be left out
	Scenario   string         `json:"scenario"` // the file
	Report     string         `json:"report"`
	Undecided  int            `json:"undecided,omitempty"` // smaller ones of which no run could be had
	Why        string         `json:"why,omitempty"`       // for the last of them
}

func shrinkHistory(cmd *cobra.Command, path string, f shrinkFlags) error {
	if err := f.valid(); err != nil {
		return err
	}
	path = scenarios.HistoryIn(path)
	runs, start, recent, err := shrink.Load(path, scenarios.Options{NoExec: f.noExec})
	if err != nil {
		return usage("%w", err)
	}
	runs.Dir = filepath.Join(f.out, runs.Name())
	if err := writable(runs.Dir); err != nil {
		return usage("--out: %w", err)
	}
	vote := shrink.Vote{Runs: f.runs, Need: int(math.Ceil(float64(f.runs*f.often) / 100))}
	state, err := shrink.Recall(path, fmt.Sprintf("%d of %d", vote.Need, vote.Runs))
	if err != nil {
		return usage("%w", err)
	}
	if f.fresh {
		state.Answers = shrink.Answers{}
	}
	if err := state.Write(path); err != nil { // before an hour is spent
		return usage("a search keeps what it finds out beside the history, and there: %w", err)
	}
	show := newShrinkDisplay(cmd.ErrOrStderr(), f)
	show.begin(runs, start, state.Answers)
	s := &shrink.Search{
		Start: start, Recent: recent, Oracle: runs.Fails, Vote: vote, Runs: f.confirm, Jobs: f.jobs,
		Answers: state.Answers,
		Asked: func(best shrink.Candidate, answers shrink.Answers) {
			show.asked(best, answers)
			_ = state.Write(path) // it could be written before, and what is lost costs time alone
		},
	}
	found, err := searched(cmd.Context(), runs, s, f.within)
	show.end()
	if err != nil {
		return err
	}
	return told(cmd, runs, found, s.Start, f)
}

// searched searches for so long.
func searched(ctx context.Context, runs *shrink.Runs, s *shrink.Search, within time.Duration) (shrink.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	soon, cancelSoon := context.WithTimeout(ctx, within*85/100)
	defer cancelSoon()
	found, err := s.Do(ctx, soon)
	for range 3 { // what the report is of may have been found by an earlier search
		if err != nil || runs.Kept(found.Best) || ctx.Err() != nil {
			break
		}
		_, err = runs.Fails(ctx, found.Best)
	}
	switch {
	case errors.Is(err, shrink.ErrNotReproduced):
		return found,
			&exitError{exitInconclusive, fmt.Errorf("%w: raise --runs and lower --often for what fails seldom", err)}
	case ctx.Err() != nil: // there is what there is
		return found, nil
	}
	return found, err
}

// told writes the scenario that was found and tells about it.
func told(cmd *cobra.Command, runs *shrink.Runs, found shrink.Found, start shrink.Candidate, f shrinkFlags) error {
	sentence := found.Sentence(start)
	text, err := runs.Text(found.Best, runs.Name(), sentence)
	if err != nil {
		return err
	}
	if err := reports.WriteFile(runs.File(),
		func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	result := shrunk{
		Before: len(start.Strikes), Injections: len(found.Best.Strikes), Failed: found.Failed, Runs: found.Runs,
		Finding: runs.Want, Sentence: sentence, Complete: found.Done, Scenario: runs.File(),
		Report: filepath.Join(runs.Dir, "report.html"), Undecided: found.Undecided, Why: found.Why,
	}
	if _, err := os.Stat(result.Report); err != nil {
		result.Report = "" // none failed in the time that there was
	}
	if err := result.print(cmd.OutOrStdout(), f.asJSON); err != nil {
		return err
	}
	return cmd.Context().Err()
}

func (s shrunk) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, s)
	}
	fmt.Fprintf(w, "%s\n", printable(s.Sentence))
	if s.Undecided > 0 {
		fmt.Fprintf(w, "  %s could not be run, so that less may suffice: %s\n",
			counted(s.Undecided, "smaller one"), printable(s.Why))
	}
	if !s.Complete {
		fmt.Fprintln(w, "  the search has not come to its end: the same command goes on with it")
	}
	fmt.Fprintf(w, "  finding: %s\n", printable(s.Finding.Text))
	if s.Report != "" {
		fmt.Fprintf(w, "  report: %s\n", s.Report)
	}
	_, err := fmt.Fprintf(w, "  again: respawn run %s\n", scenarios.QuotedPath(s.Scenario))
	return err
}

// shrinkDisplay tells how far a search is: a line that stays in place on a terminal, elsewhere one each time the best
// gets smaller and every five seconds.
type shrinkDisplay struct {
	w     io.Writer
	live  bool
	began time.Time
	said  time.Time
	total int
	best  int
}

func newShrinkDisplay(w io.Writer, f shrinkFlags) *shrinkDisplay {
	d := &shrinkDisplay{w: w, live: isTerminal(w), began: time.Now(), said: time.Now()}
	if f.asJSON {
		d.w, d.live = io.Discard, false
	}
	return d
}

func (d *shrinkDisplay) begin(runs *shrink.Runs, start shrink.Candidate, known shrink.Answers) {
	d.total, d.best = len(start.Strikes), len(start.Strikes)
	fmt.Fprintf(d.w, "%s: %s\n", runs.Scenario.Name, printable(runs.Want.Text))
	if n := known.Runs(); n > 0 {
		fmt.Fprintf(d.w, "goes on after %s of an earlier search\n", counted(n, "run"))
	}
}

func (d *shrinkDisplay) asked(best shrink.Candidate, answers shrink.Answers) {
	line := fmt.Sprintf("%d of %d injections still fail, after %s, %v",
		len(best.Strikes), d.total, counted(answers.Runs(), "run"),
		time.Since(d.began).Round(time.Second))
	switch {
	case d.live:
		fmt.Fprintf(d.w, "\r\x1b[K%s", cut(line, width(d.w)-echo))
	case len(best.Strikes) < d.best || time.Since(d.said) >= 5*time.Second:
		d.said = time.Now()
		fmt.Fprintln(d.w, line)
	}
	d.best = len(best.Strikes)
}

// end leaves the line that stayed in place.
func (d *shrinkDisplay) end() {
	if d.live {
		fmt.Fprintln(d.w)
	}
}
