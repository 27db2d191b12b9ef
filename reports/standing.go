package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// Load reads a report.json.
func Load(path string) (*Report, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
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

// regular is an error for what is no file, such as a pipe, which nobody may ever write to.
func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	return err
}

// ErrNoReports is LoadAll's of a directory without a run.
var ErrNoReports = errors.New("no reports")

// UnreadError is a run of which something is there but no report that can be read and believed. What is left out is not
// to be taken for what never was.
type UnreadError struct {
	Run      string // its directory, relative to the one that was looked through
	Scenario string // "" where nothing tells
	Err      error
}

func (e *UnreadError) Error() string { return e.Err.Error() }
func (e *UnreadError) Unwrap() error { return e.Err }

// LoadAll reads the report.json of every run in the directory and below it, by their paths. Errors are [ErrNoReports],
// and an [*UnreadError] for each run that cannot be read, joined; the others are returned with them.
func LoadAll(dir string) ([]*Report, error) {
	runs, err := Standing(dir)
	if err == nil && len(runs) == 0 {
		err = NoReports(dir)
	}
	return reportsOf(runs), err
}

// NoReports is the [ErrNoReports] of that directory.
func NoReports(dir string) error {
	return fmt.Errorf("%w in %s: want %s, as respawn run --out %s leaves them",
		ErrNoReports, dir, filepath.Join(dir, "NAME", "report.json"), dir)
}

func reportsOf(runs []IndexEntry) []*Report {
	list := make([]*Report, len(runs))
	for i, r := range runs {
		list[i] = r.Report
	}
	return list
}

// Standing is the runs whose reports stand in the directory and below it, by path: what LoadAll reads, with where it
// is.
func Standing(dir string) ([]IndexEntry, error) {
	w := walk{root: dir}
	if err := w.look(".", nil); err != nil {
		return nil, err
	}
	return w.runs, errors.Join(w.unread...)
}

// List writes index.html over all runs that stand in the directory. Those who list at once wait for each other, so that
// the last one lists all.
func List(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	await(d)
	runs, _ := Standing(dir) // the gate tells of what cannot be read
	return WriteFile(filepath.Join(dir, "index.html"), func(w io.Writer) error { return Index(w, runs) })
}

// Judged is Standing with each run judged again by its history: the report is what that shows. A run whose report says
// something else, or that ran and has no history, is an [*UnreadError], and so is one that is missing between others:
// of NAME, NAME.2 and NAME.4 the third.
func Judged(dir string) ([]IndexEntry, error) {
	list, err := judged(dir, false)
	return list, errors.Join(append(problems(err), missing(dir, list)...)...)
}

// JudgedBaseline is Judged for runs to compare with: of these it takes a report without a history for what it says,
// since a baseline is kept for long and a history is large.
func JudgedBaseline(dir string) ([]IndexEntry, error) {
	return judged(dir, true)
}

func judged(dir string, alone bool) ([]IndexEntry, error) {
	runs, err := Standing(dir)
	list := runs[:0]
	unread := problems(err)
	for _, e := range runs {
		r, err := e.judgeAgain(dir, alone)
		if err != nil {
			unread = append(unread, &UnreadError{e.Dir, e.Scenario, err})
			continue
		}
		list = append(list, IndexEntry{Report: r, Dir: e.Dir})
	}
	return list, errors.Join(unread...)
}

// problems is the errors that one joins.
func problems(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// missing is the runs that are not there though such with higher numbers are.
func missing(root string, runs []IndexEntry) (gone []error) {
	told := map[string]bool{}
	for _, e := range runs {
		number, ok := strings.CutPrefix(filepath.Base(e.Dir), e.Scenario+".")
		last, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		first := strings.TrimSuffix(e.Dir, "."+number)
		for n := 1; n < last; n++ {
			dir := first
			if n > 1 {
				dir = fmt.Sprintf("%s.%d", first, n)
			}
			if _, err := os.Stat(filepath.Join(root, dir)); err == nil || told[dir] {
				continue
			}
			told[dir] = true
			gone = append(gone,
				&UnreadError{dir, e.Scenario, fmt.Errorf("%s is not there, though %s is: not all runs are here",
					filepath.Join(root, dir), filepath.Join(root, e.Dir))})
		}
	}
	return gone
}

// judgeAgain is the report of what the run's history shows. Without a history the report stands if it may stand alone,
// or if it is of a run that never began.
func (e IndexEntry) judgeAgain(root string, alone bool) (*Report, error) {
	run := filepath.Join(root, e.Dir)
	path := filepath.Join(run, historyFile)
	if err := regular(path); errors.Is(err, fs.ErrNotExist) {
		if alone || e.Skipped != "" && e.Verdict == Inconclusive || e.Verdict == Error || e.Verdict == Aborted {
			return e.Report, nil
		}
		return nil, fmt.Errorf("%s says %s and has no %s beside it: a report alone proves nothing",
			filepath.Join(run, reportFile), e.Verdict, historyFile)
	} else if err != nil {
		return nil, err
	}
	r, err := Judge(path)
	if r == nil {
		return nil, err
	}
	told := filepath.Join(run, reportFile)
	switch {
	case r.identity() != e.identity():
		return nil, fmt.Errorf("%s is of another run than the history beside it", told)
	case slices.Index(precedence, e.Verdict) < slices.Index(precedence, r.Verdict) && e.Verdict != "":
		return e.Report, nil // against itself it is believed: what broke in the harness may have broken the history
	case r.Verdict != e.Verdict:
		return nil, fmt.Errorf("%s says %s, but its history is %s: %s", told, e.Verdict, r.Verdict, r.Cause)
	}
	return r, nil
}

// identity is the same for copies of a run only.
func (r *Report) identity() identity {
	return identity{r.Run, r.Scenario, r.Seed, r.Started.UnixNano()}
}

type identity struct {
	run, scenario string
	seed          uint64
	started       int64
}

// SameRun tells whether both are reports of one run. A report that does not tell when it was is of no other's.
func (r *Report) SameRun(other *Report) bool {
	return r == other || !r.Started.IsZero() && r.identity() == other.identity()
}

// walk goes through a directory and what is below it.
type walk struct {
	root   string
	runs   []IndexEntry
	unread []error
}

// mostDeep bounds how far down a walk goes.
const mostDeep = 32

// look takes the run whose files lie in the directory, and goes on below it. above are the directories on the way
// there: a link to one of them is not followed.
func (w *walk) look(rel string, above []fs.FileInfo) error {
	dir := filepath.Join(w.root, rel)
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && rel == "." {
		return nil
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = os.ReadDir(dir)
	}
	if err != nil && rel == "." {
		return err
	}
	if err != nil {
		w.lost(rel, "", err)
		return nil
	}
	w.read(rel, entries)
	above = append(slices.Clip(above), info)
	for _, e := range entries {
		below, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !below.IsDir() { // a file, or a link to nothing
			continue
		}
		again := slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, below) })
		if !again && len(above) < mostDeep && !w.upward(filepath.Join(dir, e.Name()), e) {
			_ = w.look(filepath.Join(rel, e.Name()), above) // only the top has an error of its own
		}
	}
	return nil
}

// upward tells whether an entry is a link to what the whole walk is within.
func (w *walk) upward(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return false
	}
	to, err := filepath.EvalSymlinks(path)
	root, rootErr := filepath.EvalSymlinks(w.root)
	if err != nil || rootErr != nil {
		return true
	}
	to, err = filepath.Abs(to)
	root, rootErr = filepath.Abs(root)
	return err != nil || rootErr != nil || strings.HasPrefix(root+"/", strings.TrimSuffix(to, "/")+"/")
}

// read reads the run in the directory, if one has left anything there.
func (w *walk) read(rel string, entries []fs.DirEntry) {
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	run := filepath.Join(w.root, rel)
	left := slices.DeleteFunc(append(files[:], historyFile), func(name string) bool { return !has(name) })
	switch {
	case has(unfinishedFile):
		w.lost(rel, w.scenario(run), readUnfinished(run))
	case has(reportFile):
		r, err := Load(filepath.Join(run, reportFile))
		if err != nil {
			w.lost(rel, "", err)
			return
		}
		w.runs = append(w.runs, IndexEntry{Report: r, Dir: rel})
	case has(historyFile):
		w.lost(rel, "", fmt.Errorf("%s has a history and no report: that run was killed; 'respawn report %s' judges it",
			run, filepath.Join(run, historyFile)))
	case rel == "." && !has("report.html"): // what is not of a run has names like these too
	case len(left) > 0:
		w.lost(rel, "", fmt.Errorf("%s has %s and no %s: not all that the run left is here",
			run, strings.Join(left, ", "), reportFile))
	}
}

// scenario is what the report in the directory is of, if there is one.
func (w *walk) scenario(run string) string {
	if r, err := Load(filepath.Join(run, reportFile)); err == nil {
		return r.Scenario
	}
	return ""
}

func (w *walk) lost(rel, scenario string, err error) {
	w.unread = append(w.unread, &UnreadError{rel, scenario, err})
}

// unfinishedFile is in the directory of a run from before it begins until its report is there.
const unfinishedFile = "unfinished.json"

// unfinished is what that file says.
type unfinished struct {
	Command string    `json:"command,omitempty"`
	Since   time.Time `json:"since"`
	Why     string    `json:"why"`
}

// markUnfinished says that the directory has no report of the last run that was asked for, and why.
func markUnfinished(dir, command, why string) error {
	return WriteFile(filepath.Join(dir, unfinishedFile), jsonOf(unfinished{command, time.Now(), why}))
}

// readUnfinished is that as an error.
func readUnfinished(dir string) error {
	var u unfinished
	data, err := os.ReadFile(filepath.Join(dir, unfinishedFile))
	if err == nil {
		err = json.Unmarshal(data, &u)
	}
	if err != nil || u.Why == "" {
		u.Why = "it has no report"
	}
	how := ""
	_, noReport := os.Stat(filepath.Join(dir, reportFile))
	if _, err := os.Stat(filepath.Join(dir, historyFile)); err == nil && noReport != nil {
		how = fmt.Sprintf("; 'respawn report %s' judges what there is", dir)
	}
	return fmt.Errorf("%s: the last run that was asked for has no report here: %s%s",
		dir, ledger.Clip(plain(u.Why), maxText), how)
}
