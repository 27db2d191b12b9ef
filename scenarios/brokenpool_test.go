package scenarios_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
)

// byItself stands for the metric where the target ended by itself: it has no number, and its promises are not judged.
const byItself = "target.died"

// breach is a scenario that fails, and a metric that its limits or promises find broken; or two, of which the host's
// load decides. Where that takes a limit which the scenario does not have, the limit is said too, and is asked for
// beside the scenario's own: the library bounds times by multiples of a floor, which are wide where the host is busy.
type breach struct{ scenario, breaks string }

// metrics are those of which one must be broken.
func (b breach) metrics() []string {
	names, _, _ := strings.Cut(b.breaks, " ")
	return strings.Split(names, "|")
}

// beside is what is asked for beside what the scenario expects, "" for nothing.
func (b breach) beside() string {
	if strings.Contains(b.breaks, " ") {
		return b.breaks
	}
	return ""
}

// caught says of each bug of the pool in internal/brokenpool, and of some beside another switch, which scenarios of the
// library must fail on it, and by what. All are run in their short form, with a settle of 2.5 s, see runBroken.
var caught = map[string][]breach{
	// what it can do
	"dead-after-kill":      {{"tutorial", "slots.silent"}, {"random-kill", "tasks.hung"}},
	"deaf-replacements":    {{"tutorial", "slots.silent"}, {"random-kill", "slots.lost"}},
	"stopped-replacements": {{"tutorial", "slots.silent"}, {"random-kill", "slots.silent"}},
	"stalls": {
		{"tutorial", "slot.recovery.max <= 1500ms"},
		{"random-kill", "slot.recovery.max <= 1500ms"},
	},
	"one-slot-after-all-died": {{"kill-all", "slots.silent"}},
	"shrinks":                 {{"random-kill", "slots.apart"}, {"kill-storm", "slots.apart"}},
	"shrinks-until-idle":      {{"rolling-kill", "slots.together.between"}},
	"one-at-a-time":           {{"random-kill", "slots.apart"}, {"tutorial", "slots.apart"}},
	"throttles-load":          {{"random-kill", "slots.apart"}},
	"slow-replacements":       {{"random-kill", "slots.slow"}, {"tutorial", "slots.slow"}},
	"rests":                   {{"random-kill", "slots.throttled"}, {"kill-all", "slots.throttled"}},
	"crawls-in-queues":        {{"tutorial", "slots.throttled"}, {"kill-all", "slots.throttled"}},
	"late-at-first crawls-in-queues": {
		{"tutorial", "slots.throttled"},
		{"kill-all", "slots.throttled"},
	},
	"fails-at-first crawls-in-queues": {
		{"tutorial", "slots.throttled"},
		{"kill-all", "slots.throttled"},
	},
	"slow-replacements lags-at-first": {{"tutorial", "slots.slow"}, {"kill-all", "slots.slow"}},
	"turns-inside": {
		{"random-kill", "slots.apart"},
		{"tutorial", "slots.apart"},
		{"kill-all", "slots.apart"},
		{"rolling-kill", "slots.together.between"},
	},
	"works-with-ghosts": {
		{"random-kill", "slots.apart"},
		{"tutorial", "slots.apart"},
		{"kill-all", "slots.apart"},
	},
	// where tasks run
	"runs-in-driver":           {{"tutorial", "slots.silent"}, {"random-kill", "slots.silent"}},
	"makes-up-answers":         {{"kill-busy", "tasks.unwitnessed"}, {"kill-all", "tasks.unwitnessed"}},
	"backdates":                {{"random-kill", "tasks.early"}, {"kill-all", "tasks.early"}},
	"reruns-in-driver":         {{"kill-storm", "tasks.overlapping"}, {"random-kill", "tasks.overlapping"}},
	"ends-for-the-dead":        {{"random-kill", "tasks.outside"}, {"kill-busy", "tasks.executions.total"}},
	"runs-in-forks":            {{"tutorial", "slots.silent"}, {"random-kill", "slots.silent"}},
	"runs-in-driver-secretly":  {{"random-kill", "results.rejected"}, {"tutorial", "results.rejected"}},
	"sleeps-in-driver":         {{"tutorial", "results.rejected"}, {"kill-all", "results.rejected"}},
	"short-sleeps-in-driver":   {{"random-kill", "results.rejected"}},
	"runs-in-sibling-secretly": {{"kill-busy", "slots.apart"}, {"kill-all", "slots.apart"}},
	"runs-in-forks-secretly":   {{"kill-busy", "tasks.outside"}, {"kill-storm", "results.misnamed"}},
	"makes-up-executions":      {{"kill-busy", "tasks.early"}, {"kill-all", "results.rejected"}},
	"names-another":            {{"random-kill", "results.misnamed"}, {"kill-all", "results.misnamed"}},
	"stops-witnessing":         {{"kill-busy", "tasks.executions.total"}},
	"cuts-short":               {{"kill-busy", "tasks.early"}, {"kill-all", "tasks.early"}},
	// the same where nobody witnesses what runs
	"unwitnessed makes-up-answers":         {{"kill-all", "results.rejected"}, {"random-kill", "results.rejected"}},
	"unwitnessed runs-in-driver":           {{"kill-all", "slots.silent"}, {"random-kill", "slots.silent"}},
	"unwitnessed runs-in-driver-secretly":  {{"kill-all", "results.rejected"}, {"random-kill", "results.rejected"}},
	"unwitnessed sleeps-in-driver":         {{"kill-all", "results.rejected"}, {"random-kill", "results.rejected"}},
	"unwitnessed short-sleeps-in-driver":   {{"random-kill", "results.rejected"}},
	"unwitnessed runs-in-forks-secretly":   {{"kill-all", "results.rejected"}, {"random-kill", "results.rejected"}},
	"unwitnessed runs-in-sibling-secretly": {{"kill-all", "results.rejected"}, {"kill-storm", "results.rejected"}},
	"unwitnessed names-another":            {{"kill-all", "results.rejected"}, {"random-kill", "results.rejected"}},
	// what becomes of them
	"loses-in-flight":        {{"kill-busy", "tasks.hung"}, {"random-kill", "tasks.hung"}},
	"fails-in-flight":        {{"kill-busy", "tasks.failed"}, {"random-kill", "tasks.failed"}},
	"runs-twice":             {{"kill-busy", "tasks.duplicated"}, {"random-kill", "tasks.duplicated"}},
	"runs-twice-after-death": {{"kill-busy", "tasks.duplicated"}, {"random-kill", "tasks.duplicated"}},
	"reruns-done":            {{"kill-busy", "tasks.duplicated"}, {"random-kill", "tasks.duplicated"}},
	"settles-after-load":     {{"kill-busy", "tasks.requeue.max <= 1s"}},
	"blames-bystanders":      {{"kill-busy", "tasks.failed"}, {"random-kill", "tasks.failed"}},
	"fails-queue":            {{"kill-storm", "tasks.failed"}, {"random-kill", "tasks.failed"}},
	"loses-queue":            {{"kill-storm", "tasks.hung"}, {"random-kill", "tasks.hung"}},
	"loses-one-queued":       {{"random-kill", "tasks.hung"}},
	"breaks":                 {{"tutorial", "slots.silent"}, {"random-kill", "tasks.failed"}},
	"swallows-some":          {{"random-kill", "tasks.hung"}, {"kill-storm", "tasks.hung"}},
	"swallows-first":         {{"random-kill", "tasks.hung"}, {"kill-busy", "tasks.hung"}},
	"fails-first":            {{"random-kill", "tasks.failed"}, {"kill-busy", "tasks.failed"}},
	// what the answers say
	"wrong-value":     {{"random-kill", "tasks.wrong"}, {"kill-busy", "tasks.wrong"}},
	"previous-answer": {{"random-kill", "tasks.wrong"}, {"kill-busy", "tasks.wrong"}},
	"swaps-answers":   {{"random-kill", "tasks.wrong"}, {"kill-busy", "tasks.wrong"}},
	"answers-first":   {{"kill-busy", "tasks.early"}, {"kill-all", "tasks.early"}},
	"names-the-dead":  {{"tutorial", "slots.silent"}, {"random-kill", "slots.silent"}},
	"answers-late":    {{"tutorial", "slot.recovery.max <= 1500ms"}, {"random-kill", "slot.recovery.max <= 1500ms"}},
	"answers-twice": {
		{"tutorial", "tasks.duplicated"},
		{"random-kill", "tasks.duplicated"},
		{"kill-storm", "tasks.duplicated"},
	},
	"answers-twice-at-stop": {{"kill-all", "tasks.duplicated"}},
	// who replaces the dead
	"no-respawn": {{"tutorial", "slots.silent"}, {"random-kill", "pool.missing"}},
	"slow-recovery": {
		{"tutorial", "slot.recovery.max <= 1500ms"},
		{"random-kill", "slot.recovery.max <= 1500ms"},
	},
	"respawns-after-load":  {{"random-kill", "pool.missing"}},
	"respawns-when-probed": {{"random-kill", "tasks.hung"}},
	"gives-up":             {{"random-kill", "pool.missing"}, {"kill-each-idle", "pool.missing"}},
	"replaces-idle-only":   {{"kill-busy", "pool.missing"}},
	"replaces-once":        {{"random-kill", "pool.missing"}},
	"recycles":             {{"random-kill", "exits.unexplained"}},
	"die-young":            {{"random-kill", "exits.unexplained"}, {"kill-all", "exits.unexplained"}},
	"die-unlisted":         {{"random-kill", "exits.unlisted"}, {"kill-all", "exits.unlisted"}},
	"ready-early": {
		{"tutorial", "slot.recovery.max <= 1500ms"},
		{"random-kill", "slot.recovery.max <= 1500ms"},
	},
	"grows":               {{"tutorial", "pids.turnover"}, {"random-kill", "pids.turnover"}},
	"kills-sibling":       {{"tutorial", "exits.unexplained"}, {"random-kill", "exits.unexplained"}},
	"kills-sibling-later": {{"random-kill", "exits.unexplained"}},
	"restarts-all":        {{"tutorial", "exits.unexplained"}, {"random-kill", "exits.unexplained"}},
	"helper-in-slot":      {{"random-kill", "slots.silent"}, {"kill-all", "slots.silent"}},
	"flaps":               {{"random-kill", "pool.ready|pool.missing"}},
	// what it says of its workers
	"lies-about-size":    {{"tutorial", "slots.silent"}, {"random-kill", "pool.missing"}},
	"lists-the-dead":     {{"tutorial", "slots.silent"}, {"random-kill", "pool.missing"}},
	"hides-one":          {{"tutorial", "slots.silent"}, {"random-kill", "pool.missing"}},
	"lists-itself":       {{"kill-busy", "results.rejected"}, {"random-kill", "results.rejected"}},
	"lists-one-twice":    {{"tutorial", "slots.silent"}, {"kill-all", "slots.silent"}},
	"answers-when-whole": {{"tutorial", "slot.recovery.max <= 1500ms"}},
	"lists-late":         {{"tutorial", "slot.recovery.max <= 1500ms"}, {"random-kill", "slot.recovery.max <= 1500ms"}},
	// what it leaves
	"zombies":           {{"tutorial", "processes.zombies"}, {"random-kill", "processes.zombies"}},
	"leaves-child":      {{"tutorial", "processes.orphaned"}, {"random-kill", "processes.orphaned"}},
	"leaks-descriptors": {{"thousand", "fds.growth"}},
	"leaks-memory":      {{"thousand", "memory.growth"}},
	"adopts-child":      {{"tutorial", "processes.left"}, {"random-kill", "processes.left"}},
	// how it ends
	"hangs-at-stop":   {{"tutorial", "processes.orphaned"}},
	"orphans-at-stop": {{"tutorial", "processes.orphaned"}},
	"orphans-at-kill": {{"supervisor-kill", "processes.orphaned"}},
	"dies-itself":     {{"kill-storm", byItself}},
	// what it does only while it is looked at
	"honest-to-probes":            {{"random-kill", "tasks.wrong"}},
	"only-probes-on-replacements": {{"random-kill", "slots.apart"}},
	"works-while-probed":          {{"random-kill", "tasks.hung"}},
	"loses-probes":                {{"tutorial", "results.rejected"}, {"kill-all", "results.rejected"}},
	"fails-probes":                {{"tutorial", "results.rejected"}, {"kill-all", "results.rejected"}},
	"runs-probes-twice":           {{"tutorial", "tasks.duplicated"}, {"kill-all", "tasks.duplicated"}},
	"lends-to-helpers":            {{"tutorial", "results.rejected"}, {"kill-busy", "results.rejected"}},
	"fakes-slots":                 {{"random-kill", "results.rejected"}},
}

// harmless are differences that break no promise, and scenarios that must pass. Without a witness nobody knows who is
// idle or busy, which the others need.
var harmless = map[string][]string{
	"late-at-first":    {"random-kill", "kill-busy"},
	"lags-at-first":    {"random-kill", "kill-busy"},
	"fails-at-first":   {"tutorial", "kill-all"},
	"reorders-queue":   {"random-kill", "kill-busy"},
	"shuffles-listing": {"random-kill", "kill-busy"},
	"talks-to-itself":  {"random-kill", "kill-busy"},
	"unwitnessed":      {"kill-all", "kill-storm", "random-kill", "poisson-kill", "supervisor-kill", "thousand"},
}

// brokenPool builds the program, once, and returns its path.
var brokenPool = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "respawn-test-")
	if err != nil {
		return "", err
	}
	built = append(built, dir)
	path := filepath.Join(dir, "brokenpool")
	out, err := exec.Command("go", "build", "-o", path, "./internal/brokenpool").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the broken pool: %w: %s", err, out)
	}
	return path, nil
})

// built are directories that TestMain removes.
var built []string

// settle is how long the pool may take to recover where a bug is on: what never recovers need not be waited for longer.
var settle = flag.String("settle", "2500ms",
	"the settle of scenarios on a pool with a bug; \"\": their own, ten seconds or more")

// runBroken runs the short form of a scenario on the pool with those bugs, and expects so much beside what it expects.
func runBroken(t *testing.T, scenario, beside string, bugs ...string) (*reports.Report, string, error) {
	program, err := brokenPool()
	if err != nil {
		return nil, "", err
	}
	command := strings.Join(append([]string{program}, bugs...), ", ")
	set := []string{"target.driver.command=[" + command + "]"}
	if beside != "" {
		s, err := scenarios.ReadNamed(scenario, scenarios.Options{Short: true})
		if err != nil {
			return nil, "", err
		}
		all := ""
		for _, own := range s.Expect {
			all += string(own) + ", "
		}
		set = append(set, "expect=["+all+beside+"]")
	}
	if len(bugs) > 0 && *settle != "" {
		set = append(set, "settle="+*settle)
	}
	return runApart(t, scenario, set...)
}

// broken lists the metrics that a report finds broken.
func broken(r *reports.Report) (metrics []string) {
	for _, t := range r.Thresholds {
		if !t.OK && !t.NotJudged && !t.NoData {
			metrics = append(metrics, t.Metric)
		}
	}
	return metrics
}

// trial is one run on the broken pool.
type trial struct {
	bug string
	breach
	again int // of several times, from 0
}

func (t trial) String() string { return cmp.Or(t.bug, "the correct pool") + " on " + t.scenario }

var times = flag.Int("times", 1,
	"how often each bug of the broken pool is run, over its scenarios in turn, and whatever must pass")

// trials are those of one bug: each of its breaches in turn, so often as is asked for, and each once at least.
func trials(bug string, breaches []breach, times int) (all []trial) {
	for i := range max(times, len(breaches)) {
		all = append(all, trial{bug, breaches[i%len(breaches)], i / len(breaches)})
	}
	return all
}

// tally counts, of several runs of each subject, those that ended as they were to.
type tally struct {
	verb                string // what they were to
	runs, right, unsure map[string]int
}

func newTally(verb string) *tally {
	return &tally{verb, map[string]int{}, map[string]int{}, map[string]int{}}
}

// count counts one run of that subject. Of one that is skipped nothing is known.
func (c *tally) count(subject string, right, skipped bool) {
	c.runs[subject]++
	switch {
	case skipped:
		c.unsure[subject]++
	case right:
		c.right[subject]++
	}
}

// String has a line for each subject that did not do so each time, and one for all.
func (c *tally) String() string {
	var b strings.Builder
	all, right, unsure := 0, 0, 0
	line := func(subject string, right, all, unsure int) {
		fmt.Fprintf(&b, "\n%s: %d of %d runs %s", subject, right, all, c.verb)
		if unsure > 0 {
			fmt.Fprintf(&b, ", %d skipped", unsure)
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(c.runs)) {
		n, ok, not := c.runs[subject], c.right[subject], c.unsure[subject]
		all, right, unsure = all+n, right+ok, unsure+not
		if ok < n {
			line(subject, ok, n, not)
		}
	}
	line("in all", right, all, unsure)
	return b.String()
}

func TestSoManyRunsOfABugAreSpreadOverItsScenarios(t *testing.T) {
	g := NewWithT(t)
	two := []breach{{"tutorial", "slots.silent"}, {"random-kill", "tasks.hung"}}
	g.Expect(trials("stalls", two, 1)).To(Equal([]trial{{"stalls", two[0], 0}, {"stalls", two[1], 0}}),
		"each once at least")
	g.Expect(trials("stalls", two, 3)).
		To(Equal([]trial{{"stalls", two[0], 0}, {"stalls", two[1], 0}, {"stalls", two[0], 1}}))
	g.Expect(trials("stalls", two, 20)).To(HaveLen(20))
	c := newTally("caught")
	for i := range 4 {
		c.count("stalls", i > 0, false)
		c.count("rests", true, i == 0)
		c.count("grows", true, false)
	}
	g.Expect(c.String()).To(Equal(
		"\nrests: 3 of 4 runs caught, 1 skipped\nstalls: 3 of 4 runs caught\nin all: 10 of 12 runs caught, 1 skipped"))
}

var seed = flag.Uint64("seed", 0, "which trials of the broken pool are run; 0: a new one each time")

var bugs = flag.String("bugs", "", "which bugs of the broken pool are run, separated by commas; empty: all")

// wanted are the bugs of the table that -bugs names.
func wanted(t *testing.T) map[string][]breach {
	t.Helper()
	if *bugs == "" {
		return caught
	}
	some := map[string][]breach{}
	for bug := range strings.SplitSeq(*bugs, ",") {
		bug = strings.TrimSpace(bug)
		breaches, ok := caught[bug]
		if !ok {
			t.Fatalf("-bugs: no bug %q in the table: want some of %s", bug,
				strings.Join(slices.Sorted(maps.Keys(caught)), ", "))
		}
		some[bug] = breaches
	}
	return some
}

// chosen are all trials with -every, else a few at random by a seed that is printed.
func chosen(t *testing.T, all []trial, few int) []trial {
	slices.SortFunc(all, func(a, b trial) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(a.breaks, b.breaks),
			cmp.Compare(a.again, b.again))
	})
	if takes.Every() || len(all) <= few {
		return all
	}
	by := cmp.Or(*seed, rand.Uint64())
	t.Logf("of %d trials %d are chosen by seed: repeat with -args -seed %d, or run all with -every", len(all), few, by)
	rand.New(rand.NewPCG(by, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:few]
}

func TestEverySwitchOfTheBrokenPoolFailsTheScenariosThatMustCatchIt(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	var all []trial
	for bug, breaches := range wanted(t) {
		all = append(all, trials(bug, breaches, *times)...)
	}
	all = chosen(t, all, 2)
	runs := runAhead(all, func(tr trial) (*reports.Report, string, error) {
		return runBroken(t, tr.scenario, tr.beside(), strings.Fields(tr.bug)...)
	})
	sum := newTally("caught")
	for _, tr := range all {
		t.Run(tr.String(), func(t *testing.T) {
			g := NewWithT(t)
			defer func() { sum.count(tr.bug, !t.Failed(), t.Skipped()) }()
			o := runs[tr]
			<-o.done
			g.Expect(o.err).NotTo(HaveOccurred())
			onAStarvedHost(t, o.report)
			if _, known := o.report.Metrics[tr.breaks]; tr.breaks == "exits.unlisted" && !known {
				t.Skip("the kernel tells nobody here of births and deaths")
			}
			g.Expect(o.report.Verdict).To(Equal(check.Fail), describe(o.report, o.dir))
			if tr.breaks == byItself {
				g.Expect(o.report.Thresholds).To(ContainElement(HaveField("NotJudged", true)),
					describe(o.report, o.dir))
			} else {
				g.Expect(broken(o.report)).To(ContainElement(BeElementOf(tr.metrics())), describe(o.report, o.dir))
			}
		})
	}
	t.Log(sum)
}

// onDrivers are the scenarios of the library whose faults a driver can take and whose tasks it knows.
var onDrivers = []string{
	"tutorial", "kill-each-idle", "kill-busy", "kill-all", "kill-storm", "random-kill", "poisson-kill", "rolling-kill",
	"pause-short", "supervisor-kill", "thousand",
}

// What nobody can tell without a witness is refused before the first fault, and all else can be run, see harmless.
func TestScenariosThatNeedAWitnessAreRefusedWithoutOne(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	names := slices.DeleteFunc(slices.Clone(onDrivers),
		func(name string) bool { return slices.Contains(harmless["unwitnessed"], name) })
	runs := runAhead(names,
		func(name string) (*reports.Report, string, error) { return runBroken(t, name, "", "unwitnessed") })
	for _, name := range names {
		<-runs[name].done
		NewWithT(t).Expect(runs[name].err).
			To(MatchError(ContainSubstring("which the driver of brokenpool does not tell (can: witness")), name)
	}
}

// What the harness sends last has its time, however little a scenario gives the pool to settle.
func TestTheCorrectPoolPassesHoweverShortSettleIs(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	program, err := brokenPool()
	g.Expect(err).NotTo(HaveOccurred())
	r, dir, err := runApart(t, "tutorial", "target.driver.command=["+program+", reorders-queue]", "settle=600ms")
	g.Expect(err).NotTo(HaveOccurred())
	onAStarvedHost(t, r)
	g.Expect(r.Verdict).To(Equal(check.Pass), describe(r, dir))
}

func TestTheCorrectPoolAndHarmlessDifferencesPass(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	var all []trial
	for again := range *times {
		for _, name := range onDrivers {
			all = append(all, trial{breach: breach{scenario: name}, again: again})
		}
		for bug, names := range harmless {
			for _, name := range names {
				all = append(all, trial{bug: bug, breach: breach{scenario: name}, again: again})
			}
		}
	}
	all = chosen(t, all, 1)
	runs := runAhead(all, func(tr trial) (*reports.Report, string, error) {
		return runBroken(t, tr.scenario, "", strings.Fields(tr.bug)...)
	})
	sum := newTally("passed")
	for _, tr := range all {
		t.Run(tr.String(), func(t *testing.T) {
			g := NewWithT(t)
			defer func() { sum.count(tr.String(), !t.Failed(), t.Skipped()) }()
			o := runs[tr]
			<-o.done
			g.Expect(o.err).NotTo(HaveOccurred())
			onAStarvedHost(t, o.report)
			g.Expect(o.report.Verdict).To(Equal(check.Pass), describe(o.report, o.dir))
		})
	}
	t.Log(sum)
}

func TestTheCorrectBrokenPoolKeepsTheDriverProtocol(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	program, err := brokenPool()
	g.Expect(err).NotTo(HaveOccurred())
	r, err := driver.Check(t.Context(), driver.Command{Argv: []string{program}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.OK()).To(BeTrue(), r.String())
}

func TestEverySwitchOfTheBrokenPoolHasItsRow(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	program, err := brokenPool()
	g.Expect(err).NotTo(HaveOccurred())
	list, err := exec.Command(program, "list").Output()
	g.Expect(err).NotTo(HaveOccurred())
	rows, known := map[string]int{}, map[string]bool{}
	for word := range harmless {
		rows[word]++
	}
	for word := range caught {
		rows[word]++
	}
	for line := range strings.Lines(string(list)) {
		word, _, _ := strings.Cut(line, "\t")
		g.Expect(rows[word]).To(Equal(1), "rows of %s in caught and harmless", word)
		known[word] = true
	}
	for row := range rows {
		for word := range strings.FieldsSeq(row) {
			g.Expect(known[word]).To(BeTrue(), "the row %s has no switch %s", row, word)
		}
	}
}
