package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// runFlags is what the command line of run says.
type runFlags struct {
	out      string
	seed     uint64
	repeat   repetition
	set      []string
	short    bool
	baseline string
	noExec   bool
	asJSON   bool
	serve    string      // where browsers see it, "" without
	seen     *spectators // nil without
	attachFlags
}

// options is how the scenarios are read.
func (f runFlags) options() scenarios.Options {
	return scenarios.Options{Short: f.short, Set: f.set, NoExec: f.noExec, Attach: f.attach, Remote: f.remote}
}

func newRun() *cobra.Command {
	f := runFlags{repeat: repetition{times: 1}}
	cmd := &cobra.Command{
		Use:   "run FILE|NAME…",
		Short: "Run scenarios, judge them, and write their reports",
		Long: `Run scenario files ("-" is standard input), or scenarios of the library by their names
('respawn list'), one after the other. Each leaves DIR/NAME/{history.jsonl,report.html,report.json,junit.xml,summary.md},
and DIR/index.html lists them all. What earlier runs of these scenarios left in DIR is removed
first; other scenarios' reports stay, and are listed too. DIR/NAME/unfinished.json is there from
before a run begins until its report is: a run that is killed, or never begins, is red in the gate.

Ctrl-C, or a signal of a wrapper, heals what was injected, ends every process, and still writes
the report, however many more come. Ctrl-C two seconds later or after that ends at once.
Several scenarios exit with the code of the worst verdict. Exit codes: 0 pass, 1 fail,
2 usage or scenario error, 3 inconclusive, 4 aborted, 5 harness error, 130 interrupted.`,
		Example: `  respawn run random-kill
  respawn run my.yaml --set chaos.0.when.for=5s --seed 7
  respawn run tutorial kill-busy --out reports --repeat 6`,
		Args:              needs("which scenarios?", true),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			args = f.serveAt(args)
			args, err := f.repeat.finish(args)
			if err == nil && len(args) == 0 {
				err = usage("which scenarios? %s: run '%s --help'", strings.TrimSuffix(cmd.UseLine(), " [flags]"),
					cmd.CommandPath())
			}
			if err != nil {
				return err
			}
			return runAll(cmd, args, f)
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if begin := slices.Index(os.Args, cmd.Name()); begin >= 0 {
			distrust(legible(cmd.Flags(), os.Args[begin+1:]), f)
		}
		return cmd.Parent().FlagErrorFunc()(cmd, err)
	})
	cmd.Flags().StringVar(&f.out, "out", "respawn-out", "directory for the reports")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed in place of the scenario's, from 1")
	cmd.Flags().Var(&f.repeat, "repeat", "run each scenario so often, with one seed after another (NAME, NAME.2, …), "+
		"or until its failure rate is known: 'until 95%'")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "change a key: path=value, such as chaos.0.when.for=5s")
	cmd.Flags().BoolVar(&f.short, "short", false, "run the scenarios' short forms")
	cmd.Flags().StringVar(&f.baseline, "baseline", "", "directory of earlier reports to compare with")
	cmd.Flags().BoolVar(&f.noExec, "no-exec", false, "refuse scenarios that start a program of their own")
	cmd.Flags().StringVar(&f.serve, "serve", "",
		"serve the report to browsers while the runs go on: --serve=HOST:PORT, by default a free port of the loopback")
	cmd.Flags().Lookup("serve").NoOptDefVal = anyPort
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the reports as JSON, one object a line, and no progress")
	return cmd
}

// serveAt takes the address out of the arguments if the flag was just "--serve", as one that stands behind it without a
// "=" does.
func (f *runFlags) serveAt(args []string) []string {
	at := slices.IndexFunc(args, func(arg string) bool {
		_, port, err := net.SplitHostPort(arg)
		if err != nil {
			return false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return err == nil
	})
	if f.serve != anyPort || at < 0 {
		return args
	}
	f.serve = args[at]
	return slices.Delete(slices.Clone(args), at, at+1)
}

func completeScenario(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return scenarios.Library(), cobra.ShellCompDirectiveDefault
}

// runAll reads every scenario before the first one is run, so that a mistake in the last does not come after an hour.
// What earlier runs of them have left is then no longer to be taken for the last, even if none can begin.
func runAll(cmd *cobra.Command, args []string, f runFlags) error {
	list, baseline, err := ready(cmd, args, f)
	if errors.Is(err, errDry) {
		return nil
	}
	if err != nil {
		distrust(args, f)
		return err
	}
	if _, err := writeIndex(nil, f.out); err != nil { // the runs' pages lead back to it
		return err
	}
	if f.serve != "" {
		if f.seen, err = serve(f.serve); err != nil {
			return err
		}
		defer f.seen.end()
		fmt.Fprintf(cmd.ErrOrStderr(), "watch it at %s until it ends\n", f.seen.url)
	}
	entries, err := runEach(cmd, args, list, baseline, f)
	return concluded(cmd, entries, f, err)
}

// ready is all that can be looked at before the first run.
func ready(cmd *cobra.Command, args []string, f runFlags) ([]*scenarios.Scenario, []*reports.Report, error) {
	if f.seed == 0 && cmd.Flags().Changed("seed") {
		return nil, nil, usage("--seed is 0: want 1 or more, or leave it out for the scenario's")
	}
	if f.repeat.times < 1 {
		return nil, nil, usage("--repeat is %d: want 1 or more", f.repeat.times)
	}
	list, err := readScenarios(cmd.ErrOrStderr(), args, f.options())
	if err != nil {
		return nil, nil, err
	}
	for _, s := range list {
		if f.short && !s.HasShort() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s has no short form: it is run as it is\n", s.Name)
		}
	}
	if name := namesake(list); name != "" {
		return nil, nil, usage("two of these scenarios are named %s, and their reports would go to the same place: "+
			"rename one, or use --repeat", name)
	}
	if err := f.consented(cmd, list); err != nil {
		return nil, nil, err
	}
	var baseline []*reports.Report
	if f.baseline != "" {
		if baseline, err = reports.LoadAll(f.baseline); err != nil {
			return nil, nil, usage("%w", err)
		}
	}
	if err := roomFor(list, f); err != nil {
		return nil, nil, usage("--out: %w", err)
	}
	for i, s := range list { // what is not run again must not stand beside what is
		if err := reports.Remove(f.out, s.Name); err != nil {
			return nil, nil, usage("--out: %w", err)
		}
		for n := range f.repeat.planned() {
			if err := reports.Plan(filepath.Join(f.out, runName(s, n)),
				scenarios.Repeat(args[i], f.seed, f.options())); err != nil {
				return nil, nil, usage("--out: %w", err)
			}
		}
	}
	return list, baseline, nil
}

// writeIndex writes the page over these runs and those that stand beside them.
func writeIndex(entries []reports.IndexEntry, dir string) (path string, err error) {
	path = filepath.Join(dir, "index.html")
	if err = reports.WriteFile(path,
		func(w io.Writer) error { return reports.Index(w, all(entries, dir)) }); err != nil {
		err = fmt.Errorf("write the index page: %w", err)
	}
	return path, err
}

// concluded writes the index and tells what the runs come to.
func concluded(cmd *cobra.Command, entries []reports.IndexEntry, f runFlags, err error) error {
	index, indexErr := writeIndex(entries, f.out)
	if err == nil {
		err = indexErr
	}
	if err != nil {
		return err
	}
	if !f.asJSON && len(entries) > 1 {
		printSummary(cmd.OutOrStdout(), entries)
		printRates(cmd.OutOrStdout(), entries, f.repeat)
		fmt.Fprintf(cmd.OutOrStdout(), "all runs: %s\n", index)
	}
	if f.asJSON {
		printRates(cmd.ErrOrStderr(), entries, f.repeat)
	}
	var verdicts []reports.Verdict
	for _, e := range entries {
		if e.NotInstalled != "" { // a mistake about this host, not the harness's
			return usage("%s: %s", e.Scenario, e.NotInstalled)
		}
		verdicts = append(verdicts, e.Verdict)
	}
	if code := reports.Worst(verdicts...).ExitCode(); code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

// all is these runs, and after them those of other scenarios that stand in the directory: what the gate would read
// there.
func all(entries []reports.IndexEntry, dir string) []reports.IndexEntry {
	standing, _ := reports.Standing(dir) // the gate tells of what cannot be read
	return append(slices.Clip(entries), slices.DeleteFunc(standing, func(e reports.IndexEntry) bool {
		return slices.ContainsFunc(entries, func(own reports.IndexEntry) bool { return own.Dir == e.Dir })
	})...)
}

// runEach runs the scenarios one after the other, until one has no report or somebody interrupts.
func runEach(cmd *cobra.Command, args []string, list []*scenarios.Scenario, baseline []*reports.Report,
	f runFlags,
) (entries []reports.IndexEntry, err error) {
	kept := readSeeds(f.out)
	for i, s := range list {
		var done []reports.Verdict
		var first []uint64
		if f.repeat.several() && f.seed == 0 {
			first = slices.Clone(kept[s.Name])
		}
		for n := 0; f.repeat.more(done); n++ {
			dir, seed := runName(s, n), seedOf(s, n, f.seed, first)
			o := scenarios.RunOptions{
				Dir: filepath.Join(f.out, dir), Seed: seed, Command: scenarios.Repeat(args[i], seed, f.options()),
				Baseline: baseline,
			}
			if f.attach {
				o.Consent = f.consent
			}
			if s.Streamed() {
				o.Command = "respawn replay " + scenarios.QuotedPath(o.Dir)
			}
			f.seen.show(filepath.Join(o.Dir, scenarios.HistoryFile))
			r, err := runOne(cmd, s, o, f.asJSON)
			if err != nil {
				return entries, err
			}
			entries, done = append(entries, reports.IndexEntry{Report: r, Dir: dir, Baseline: baseline}),
				append(done, r.Verdict)
			if kept.note(r); f.repeat.several() {
				if err := kept.write(f.out); err != nil {
					return entries, err
				}
			}
			if err := cmd.Context().Err(); err != nil {
				left := notRun(list[i:], n+1, f.repeat.planned())
				if len(left) > 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), "not run:", strings.Join(left, ", "))
				}
				for _, dir := range left {
					if r.Verdict == reports.Aborted {
						// which says it; else nothing but the plan would tell what is missing
						_ = reports.Unplan(filepath.Join(f.out, dir))
					}
				}
				return entries, err
			}
		}
	}
	return entries, nil
}

// runName is where the n-th run of a scenario, from 0, has its files.
func runName(s *scenarios.Scenario, n int) string {
	if n == 0 {
		return s.Name
	}
	return fmt.Sprintf("%s.%d", s.Name, n+1)
}

// notRun names the runs that are left: of the first scenario from its n-th on, and all of the others.
func notRun(list []*scenarios.Scenario, n, repeat int) (left []string) {
	for _, s := range list {
		for ; n < repeat; n++ {
			left = append(left, runName(s, n))
		}
		n = 0
	}
	return left
}

// runOne runs one scenario and tells about it.
func runOne(cmd *cobra.Command, s *scenarios.Scenario, o scenarios.RunOptions, asJSON bool) (*reports.Report, error) {
	progress := cmd.ErrOrStderr()
	if asJSON {
		progress = io.Discard
	}
	show := newDisplay(progress, s.Name)
	o.Progress = show.update
	recorded := records(cmd.Context(), filepath.Join(o.Dir, scenarios.HistoryFile), show)
	r, err := s.Run(cmd.Context(), o)
	recorded()
	show.end()
	if err != nil {
		if problems := scenarios.Problems(nil); errors.As(err, &problems) {
			return nil, usage("%w", err)
		}
		if errors.Is(err, reports.ErrTaken) {
			return nil, usage("--out: %w", err)
		}
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if asJSON {
		if line := r.Against(o.Baseline); line != "" { // no part of the report: another baseline says something else
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", s.Name, printable(line))
		}
		// output has the error: the other runs and their index are wanted all the same
		_ = writeJSONLine(cmd.OutOrStdout(), r)
		return r, nil
	}
	printVerdict(cmd.OutOrStdout(), r, o.Dir, o.Baseline)
	return r, nil
}

// readScenarios reads files and library names. Mistakes are printed, a line each; the error then only carries the code.
func readScenarios(stderr io.Writer, args []string, o scenarios.Options) ([]*scenarios.Scenario, error) {
	var list []*scenarios.Scenario
	var problems scenarios.Problems
	for _, arg := range args {
		s, err := readScenario(arg, o)
		var found scenarios.Problems
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
		case err != nil:
			problems = append(problems, scenarios.Problem{File: arg, Text: cause(err)})
		default:
			list = append(list, s)
		}
	}
	if len(problems) > 0 {
		fmt.Fprintln(stderr, problems.Error())
		return nil, &exitError{code: exitUsage}
	}
	return list, nil
}

// namesake is a name that two scenarios have, "" when there is none.
func namesake(list []*scenarios.Scenario) string {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.Name] {
			return s.Name
		}
		seen[s.Name] = true
	}
	return ""
}

// readScenario takes "-" for standard input, what looks like a path for a file, and anything else for a name unless
// there is such a file.
func readScenario(arg string, o scenarios.Options) (*scenarios.Scenario, error) {
	if arg == "-" {
		arg = "/dev/stdin"
	}
	if _, err := os.Stat(arg); err == nil || strings.ContainsRune(arg, filepath.Separator) || filepath.Ext(arg) != "" {
		if !slices.Contains(scenarios.Library(), arg) {
			return scenarios.ReadFile(arg, o)
		}
	}
	return scenarios.ReadNamed(arg, o)
}

// cause is an error of the file system without the path, which is told beside it.
func cause(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
