package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// roomFor sees to it that each run has a directory for its reports, or can make one.
func roomFor(list []*scenarios.Scenario, f runFlags) error {
	if err := writable(f.out); err != nil {
		return err
	}
	if err := reports.Writable(filepath.Join(f.out, "index.html")); err != nil {
		return err
	}
	for _, s := range list {
		for n := range f.repeat.planned() {
			dir := filepath.Join(f.out, runName(s, n))
			if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err := writable(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// legible sets the flags that can be read on a command line which has a mistake in it, and returns what no flag takes.
func legible(flags *pflag.FlagSet, line []string) (args []string) {
	for i := 0; i < len(line); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(line[i], "-"), "=")
		flag := flags.Lookup(name)
		switch {
		case line[i] == "--":
			return append(args, line[i+1:]...)
		case !strings.HasPrefix(line[i], "-"):
			args = append(args, line[i])
		case flag == nil || flag.NoOptDefVal != "":
		case joined:
			_ = flags.Set(name, value)
		case i+1 < len(line):
			i++
			_ = flags.Set(name, line[i])
		}
	}
	return args
}

// distrust marks what earlier runs of what was asked for have left, since there is no newer one: the gate would go by
// them.
func distrust(args []string, f runFlags) {
	asked := map[string]bool{}
	for _, arg := range args {
		if info, err := os.Stat(arg); arg == "-" || err == nil && !info.Mode().IsRegular() {
			continue // what was read from a stream is gone, or somebody would have to type it once more
		}
		if s, err := readScenario(arg, scenarios.Options{}); err == nil {
			asked[s.Name] = true
		}
	}
	standing, _ := reports.Standing(f.out) // what cannot be read is red as it is
	for _, e := range standing {
		named := slices.ContainsFunc(args, func(arg string) bool {
			return strings.Contains(e.Command+" ", " "+scenarios.QuotedPath(arg)+" ")
		})
		if asked[e.Scenario] || named {
			_ = reports.Distrust(filepath.Join(f.out, e.Dir),
				"'respawn run "+strings.Join(args, " ")+"' could not begin")
		}
	}
}

// writable makes the directory and a file in it, so that a run does not end without a place for its report.
func writable(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no directory, and the reports go into one: move it away, or name another directory",
			dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".respawn-*")
	if err != nil {
		return fmt.Errorf("no file can be made in %s: %s", dir, cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
