package reports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrTaken is returned where a run that is going on has its files in the directory.
var ErrTaken = errors.New("another run is writing there: let it end, or choose another directory")

// Taken is the directory of a run that is going on.
type Taken struct {
	dir  *os.File
	path string
}

// Take makes the directory of a run, removes from it what an earlier run has left, for a run that then breaks must not
// be taken for the one before it, and keeps other runs out of it until Release is called or the process ends. Until
// Finish is called, the directory says that a run has begun there and has no report. ErrTaken if another run has it.
func Take(dir, command string) (*Taken, error) {
	t, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	err = markUnfinished(dir, command, "it began and did not come to its end")
	if err == nil {
		err = t.clear()
	}
	if err != nil {
		t.Release()
		return nil, fmt.Errorf("replace the last run: %w", err)
	}
	return t, nil
}

// Plan makes the directory of a run that is going to begin later, and says so there: should it never begin, that is not
// to be overlooked. ErrTaken if another run has it.
func Plan(dir, command string) error {
	t, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer t.Release()
	return markUnfinished(dir, command, "it was to be run and never began")
}

// Unplan takes back what Plan has left.
func Unplan(dir string) error {
	return errors.Join(os.Remove(filepath.Join(dir, unfinishedFile)), os.Remove(dir))
}

// Distrust says in the directory of an earlier run that its report is not of the last run that was asked for, which
// could not begin. ErrTaken if that run, or another one of the same scenario beside it, is going on: then what stands
// there is of the last.
func Distrust(dir, why string) error {
	scenario, _, _ := strings.Cut(filepath.Base(dir), ".")
	runs, err := takeAll(filepath.Dir(dir), scenario)
	if err != nil {
		return err
	}
	releaseAll(runs)
	t, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer t.Release()
	return markUnfinished(dir, "", why)
}

// Finish is called when the report is there.
func (t *Taken) Finish() error {
	if err := os.Remove(filepath.Join(t.path, unfinishedFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("say that the run came to its end: %w", err)
	}
	return nil
}

// Release lets others have the directory.
func (t *Taken) Release() { _ = t.dir.Close() }

// clear removes what a run has left, but for the word that there is a new one.
func (t *Taken) clear() error {
	for _, name := range append(files[:], historyFile) {
		if err := os.Remove(filepath.Join(t.path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// takeAll locks the directories of all runs of the scenario that have left something in dir: all, or none and ErrTaken.
func takeAll(dir, scenario string) (runs []*Taken, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("look for the last runs: %w", err)
	}
	for _, e := range entries {
		name, n, numbered := strings.Cut(e.Name(), ".")
		if _, err := strconv.ParseUint(n, 10, 32); !e.IsDir() || name != scenario || numbered && err != nil {
			continue
		}
		t, err := lockDir(filepath.Join(dir, e.Name()))
		if err != nil {
			releaseAll(runs)
			return nil, err
		}
		runs = append(runs, t)
	}
	return runs, nil
}

func releaseAll(runs []*Taken) {
	for _, t := range runs {
		t.Release()
	}
}

// lockDir makes and locks the directory.
func lockDir(dir string) (*Taken, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the run: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the run: %w", err)
	}
	if err := lock(d, dir); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Taken{d, dir}, nil
}

// lock locks the directory itself, so that nothing is left behind in it: the kernel lets go of it with its descriptor.
// Where there are no such locks, nobody is kept out.
func lock(d *os.File, dir string) error {
	if taken(d) {
		return fmt.Errorf("%s: %w", dir, ErrTaken)
	}
	mine, err := d.Stat()
	if err != nil {
		return fmt.Errorf("look at the directory of the run: %w", err)
	}
	if there, err := os.Stat(dir); err != nil || !os.SameFile(mine, there) { // it was removed by whoever had it
		return fmt.Errorf("%s: %w", dir, ErrTaken)
	}
	return nil
}
