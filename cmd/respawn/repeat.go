package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// repetition is how often a scenario is run: so many times, or until the interval of its failure rate is narrow.
type repetition struct {
	times int
	until float64 // the confidence of the interval; 0: so many times
}

const (
	narrow      = 0.2 // of an interval: how far its ends may be apart
	mostRepeats = 200 // without an interval that narrow
)

var confidence = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)%$`)

// Set takes "N", "until P%" or "P%".
func (r *repetition) Set(text string) error {
	word := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(text, "until"), "="))
	if text == "until" { // its percentage is an argument of its own
		r.until = -1
		return nil
	}
	if m := confidence.FindStringSubmatch(word); m != nil {
		p, err := strconv.ParseFloat(m[1], 64)
		if err != nil || p < 50 || p >= 100 {
			return fmt.Errorf("a confidence of %s: want 50%% or more and less than 100%%", word)
		}
		r.until = p / 100
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%q: want a number of runs, or 'until 95%%'", text)
	}
	r.times, r.until = n, 0
	return nil
}

func (r *repetition) String() string {
	if r.until > 0 {
		return fmt.Sprintf("until %.6g%%", 100*r.until)
	}
	return strconv.Itoa(r.times)
}

// Type is for the help text.
func (r *repetition) Type() string { return "N|until P%" }

// finish takes the percentage out of the arguments if the flag was just "until".
func (r *repetition) finish(args []string) ([]string, error) {
	if r.until >= 0 {
		return args, nil
	}
	at := slices.IndexFunc(args, confidence.MatchString)
	if at < 0 {
		return nil, usage("--repeat until what? want --repeat until 95%%")
	}
	if err := r.Set(args[at]); err != nil {
		return nil, usage("--repeat: %w", err)
	}
	return slices.Delete(slices.Clone(args), at, at+1), nil
}

// several tells whether there is more than one run.
func (r *repetition) several() bool { return r.times > 1 || r.until > 0 }

// planned is how many runs there are for certain.
func (r *repetition) planned() int {
	if r.until > 0 {
		return 1
	}
	return r.times
}

// more tells whether there is another run after those.
func (r *repetition) more(done []reports.Verdict) bool {
	if r.until == 0 {
		return len(done) < r.times
	}
	low, high := reports.RateOf(r.until, done...).Interval()
	return len(done) == 0 || high-low > narrow && len(done) < mostRepeats
}

// seedsFile is where the seeds of runs that failed are kept, for the next time.
const seedsFile = "seeds.json"

// keptSeeds are the seeds that failed when they were run last, by scenario.
type keptSeeds map[string][]uint64

// mostKept is how many are kept of one scenario, the last ones.
const mostKept = 10

// readSeeds reads those that an earlier run has left in the directory. What cannot be read is none.
func readSeeds(dir string) keptSeeds {
	kept := keptSeeds{}
	if text, err := os.ReadFile(filepath.Join(dir, seedsFile)); err == nil {
		_ = json.Unmarshal(text, &kept)
	}
	return kept
}

// note keeps the seed of a run that failed, and forgets one that passed.
func (k keptSeeds) note(r *reports.Report) {
	list := slices.DeleteFunc(k[r.Scenario],
		func(s uint64) bool { return s == r.Seed && (r.Verdict == reports.Fail || r.Verdict == reports.Pass) })
	if r.Verdict == reports.Fail {
		list = append([]uint64{r.Seed}, list...)
	}
	if k[r.Scenario] = list[:min(len(list), mostKept)]; len(list) == 0 {
		delete(k, r.Scenario)
	}
}

func (k keptSeeds) write(dir string) error {
	return reports.WriteFile(filepath.Join(dir, seedsFile),
		func(w io.Writer) error { return json.NewEncoder(w).Encode(k) })
}

// seedOf is the seed of a scenario's n-th run, from 0: those that failed the last time first, then one after the other.
// 0 is the scenario's own.
func seedOf(s *scenarios.Scenario, n int, asked uint64, first []uint64) uint64 {
	if n < len(first) {
		return first[n]
	}
	if n == 0 {
		return asked
	}
	seed := cmp.Or(asked, s.Seed, 1)
	for n -= len(first); ; seed++ {
		if slices.Contains(first, seed) {
			continue
		}
		if n == 0 {
			return seed
		}
		n--
	}
}

// printRates says of each scenario that was run several times how often it failed, and with which seeds.
func printRates(w io.Writer, entries []reports.IndexEntry, r repetition) {
	if !r.several() {
		return
	}
	var names []string
	verdicts, failed := map[string][]reports.Verdict{}, map[string][]string{}
	for _, e := range entries {
		if verdicts[e.Scenario] == nil {
			names = append(names, e.Scenario)
		}
		verdicts[e.Scenario] = append(verdicts[e.Scenario], e.Verdict)
		if e.Verdict == reports.Fail {
			failed[e.Scenario] = append(failed[e.Scenario], strconv.FormatUint(e.Seed, 10))
		}
	}
	for _, name := range names {
		rate := reports.RateOf(r.until, verdicts[name]...)
		line := fmt.Sprintf("%s %s", name, rate)
		if n := len(verdicts[name]) - rate.Runs; n > 0 {
			line += fmt.Sprintf(", %s proved nothing", counted(n, "run"))
		}
		if seeds := failed[name]; len(seeds) > 0 {
			line += ", with seed " + strings.Join(seeds[:min(len(seeds), mostKept)], ", ")
		}
		fmt.Fprintln(w, line)
	}
}
