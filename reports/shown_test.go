package reports_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// figureOf is one figure of a page, with its data.
func figureOf(page, id string) string {
	return regexp.MustCompile(`(?s)<figure id="fig-` + id + `".*?</figure>`).FindString(page)
}

// A dip of 5 ms in a bin of half a second is a hundredth of it, and members beyond any number that is drawn count too.
func TestReadyMembersAreAveragedOverTimeWhateverTheirNumber(t *testing.T) {
	g := NewWithT(t)
	const slots = 1000
	h := history.Header{Scenario: "made up", Target: history.Target{Kind: "pool", Size: slots, Can: []string{"events"}}}
	member := func(at time.Duration, op history.MemberOp, slot, pid int) history.Event {
		return history.Event{T: at, Member: &history.MemberEvent{Op: op, Slot: slot, PID: pid}}
	}
	list := []history.Event{}
	for s := range slots {
		list = append(list, member(0, history.Ready, s, s+1))
	}
	list = append(list, member(60*time.Second, history.Exited, 999, 1000))
	list = append(list, member(60*time.Second+5*time.Millisecond, history.Ready, 999, 2000))
	list = append(list, history.Event{T: 120 * time.Second, Stage: &history.Stage{Name: history.Stop}})
	page := pageOf(g, build(h, events(list...), check.Result{Verdict: check.Pass}))
	rows := regexp.MustCompile(
		`<tr><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td></tr>`).
		FindAllStringSubmatch(figureOf(page, "ready"), -1)
	g.Expect(len(rows)).To(BeNumerically(">", 100))
	dips := 0
	for _, r := range rows[1:] {
		g.Expect(r[2]).To(Equal("1,000"), "on average, rounded, at %s", r[1])
		g.Expect(r[4]).To(Equal("1,000"))
		if r[3] == "999" {
			dips++
		}
	}
	g.Expect(dips).To(Equal(1))
}

// The area between the wanted and the drawn line is the time that was lacking.
func TestADipIsAsDeepAsItLasted(t *testing.T) {
	g := NewWithT(t)
	list := []history.Event{}
	h := history.Header{Target: history.Target{Kind: "pool", Size: 1, Can: []string{"events"}}}
	list = append(list, history.Event{Member: &history.MemberEvent{Op: history.Ready, PID: 1}})
	for i := range 10 { // of ten seconds, one without
		at := time.Duration(i) * time.Second
		list = append(list,
			history.Event{T: at + 500*time.Millisecond, Member: &history.MemberEvent{Op: history.Exited, PID: i + 1}})
		list = append(list,
			history.Event{T: at + 600*time.Millisecond, Member: &history.MemberEvent{Op: history.Ready, PID: i + 2}})
	}
	list = append(list, history.Event{T: 10 * time.Second, Stage: &history.Stage{Name: history.Stop}})
	figure := figureOf(pageOf(g, build(h, events(list...), check.Result{})), "ready")
	sum, n := 0.0, 0
	for _, r := range regexp.MustCompile(`<tr><td>[^<]*</td><td>([0-9.]+)</td>`).FindAllStringSubmatch(figure, -1) {
		sum += number(g, r[1])
		n++
	}
	g.Expect(sum / float64(n)).To(BeNumerically("~", 0.9, 0.01))
}

// Of a thousand slots those are drawn that were hit, and the others are one row.
func TestLanesShowTheSlotsWorthSeeing(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 20_000, Kills: 100, Slots: 1000, Broken: true})
	figure := figureOf(pageOf(g, r), "lanes")
	g.Expect(strings.Count(figure, `<path class="hit"`)).To(Equal(100+1), "each kill, and the legend")
	rows := regexp.MustCompile(`text-anchor="end">([^<]*)<`).FindAllStringSubmatch(figure, -1)
	bad := 0
	for _, x := range r.Exits {
		if x.Code == 3 {
			bad = x.Slot
		}
	}
	g.Expect(rows[0][1]).To(Equal("tasks not ok"))
	g.Expect(rows[1][1]).To(Equal(fmt.Sprintf("slot %d", bad)), "the worst first")
	g.Expect(rows[len(rows)-1][1]).To(MatchRegexp(`^[0-9]{3} others$`))
	g.Expect(len(rows)).To(BeNumerically("<", 110))
}

func TestEachKindOfFaultHasAMarkOfItsOwn(t *testing.T) {
	g := NewWithT(t)
	list := []history.Event{{Member: &history.MemberEvent{Op: history.Ready, PID: 1}}}
	kinds := []string{"signal KILL", "signal TERM", "pause 100ms", "oom", "restart", "poison 3"}
	for i, kind := range kinds {
		at := time.Duration(i+1) * time.Second
		f := history.Fault{N: i + 1, Fault: kind, Victim: &history.Victim{PID: 1}}
		if kind == "restart" {
			f.Victim = nil
		}
		planned, settled := f, f
		planned.Op, settled.Op, settled.Outcome, settled.Receipt = history.Planned, history.Concluded,
			history.Confirmed, &history.Receipt{Tier: "/proc state", At: at}
		list = append(list, history.Event{T: at, Fault: &planned}, history.Event{T: at, Fault: &settled})
	}
	figure := figureOf(pageOf(g, judgedAll(events(list...))), "lanes")
	seen := map[string]bool{}
	for i, kind := range kinds {
		mark := regexp.MustCompile(`<path class="hit"[^>]*d="M[0-9.]+ [0-9.]+(m[^"]*)"><title>#` + fmt.Sprint(i+1) +
			` `).FindStringSubmatch(figure)
		g.Expect(mark).NotTo(BeNil(), kind)
		g.Expect(seen[mark[1]]).To(BeFalse(), kind)
		seen[mark[1]] = true
		g.Expect(figure).
			To(MatchRegexp(`<path class="hit"[^>]*d="M9 6`+regexp.QuoteMeta(mark[1])+`"/></svg> `+kind+`</li>`),
				"it is in the legend")
	}
	g.Expect(figure).To(ContainSubstring(`>the target</text>`))
}

func TestWhatDiffersInColourDiffersInForm(t *testing.T) {
	g := NewWithT(t)
	page := pageOf(g, judged(storm.Storm{Tasks: 20_000, Kills: 20, Broken: true}))
	dashes := map[string]bool{}
	for _, line := range regexp.MustCompile(
		`<path class="line[23]?" fill="none" stroke="[^"]*" stroke-width="1.75"([^/>]*) d="`).
		FindAllStringSubmatch(figureOf(page, "latency"), -1) {
		dashes[line[1]] = true
	}
	g.Expect(dashes).To(HaveLen(3), "p50, p95 and p99")
	height := func(class string) string {
		return regexp.MustCompile(`<rect class="` + class + `"[^>]*height="([0-9.]+)"`).
			FindStringSubmatch(figureOf(page, "lanes")[strings.Index(figureOf(page, "lanes"), ` viewBox="0 0 960`):])[1]
	}
	g.Expect(number(g, height("boot"))).To(BeNumerically("<", number(g, height("bar"))/2))
	g.Expect(figureOf(page, "lanes")).To(MatchRegexp(`<path class="bad"[^>]*><title>pid `),
		"the gravest mark is a cross")
}

func TestAFailHasARedTileAndALaneOfItsTasks(t *testing.T) {
	g := NewWithT(t)
	page := pageOf(g, judged(storm.Storm{Tasks: 5000, Kills: 50, Broken: true}))
	g.Expect(page).To(MatchRegexp(`<li class="bad"><b>1</b> <span>[a-z.]+</span> <small>broken: `))
	g.Expect(figureOf(page, "lanes")).To(ContainSubstring(">tasks not ok</text>"))
	g.Expect(figureOf(page, "lanes")).To(MatchRegexp(`<path class="bad"[^>]*><title>1 task not ok at `))
	page = pageOf(g, judged(storm.Storm{Tasks: 5000, Kills: 50}))
	g.Expect(page).NotTo(ContainSubstring("<small>broken: "))
	g.Expect(page).NotTo(ContainSubstring("tasks not ok"))
}

func TestARunWithOneDeathHasATileACellAndABaseline(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 5000, Kills: 1})
	r.Experiment = "x"
	took := r.Metrics["slot.recovery.max"]
	g.Expect(took).To(BeNumerically(">", 0))
	g.Expect(r.Metrics).NotTo(HaveKey("slot.recovery.p50"))
	text := check.Seconds.Show(took)
	g.Expect(pageOf(g, r)).
		To(ContainSubstring("<b>" + text + "</b> <span>slot recovery</span> <small>one death</small>"))
	var out bytes.Buffer
	g.Expect(reports.Index(&out, []reports.IndexEntry{{Report: r}})).To(Succeed())
	g.Expect(out.String()).To(ContainSubstring("<td>" + text + "</td>"))
	g.Expect(r.Against([]*reports.Report{r})).
		To(HavePrefix("baseline: slot recovery, longest, is " + text + ", was " + text))
}

func TestWhatAFindingNamesIsALinkAndRowsHaveIDs(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 5000, Kills: 50, Broken: true})
	page := pageOf(g, r)
	for _, id := range []string{`id="fault-7"`, `id="slot-3"`, `id="exit-1"`} {
		g.Expect(strings.Count(page, id)).To(Equal(1), id)
	}
	g.Expect(page).To(MatchRegexp(`<tr id="task-[0-9]+" class="broken">`))
	g.Expect(page).To(MatchRegexp(`<tr id="task-[0-9]+"><th`))
	linked := 0
	for _, f := range r.Findings {
		if f.Event > 0 &&
			strings.Contains(page, fmt.Sprintf(`<a href="#line-%d">history line %d</a>`, f.Event, f.Event)) {
			linked++
		}
	}
	g.Expect(linked).To(BeNumerically(">=", 2), "%v", r.Findings)
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		g.Expect(strings.Count(page, ` id="`+m[1]+`"`)).To(Equal(1), m[1])
	}
}

func TestTheBaselineComesFirstAndSaysWhatIsBetterAndWorse(t *testing.T) {
	g := NewWithT(t)
	was := judged(storm.Storm{Tasks: 5000, Kills: 50})
	now := judged(storm.Storm{Tasks: 5000, Kills: 50})
	now.Metrics["slot.recovery.p50"] = was.Metrics["slot.recovery.p50"] * 7.2
	now.Metrics["tasks.throughput.during"] = was.Metrics["tasks.throughput.during"] * 2
	now.Metrics["slot.recovery.max"] = was.Metrics["slot.recovery.max"] / 2
	var out bytes.Buffer
	g.Expect(now.HTML(&out, []*reports.Report{was})).To(Succeed())
	page := out.String()
	g.Expect(strings.Index(page, `<section id="baseline"`)).
		To(BeNumerically("<", strings.Index(page, `<section id="thresholds"`)))
	g.Expect(page).To(ContainSubstring(`<td class="bad">▲ &#43;620%, worse</td>`))
	g.Expect(page).To(ContainSubstring(`<td class="good">▲ &#43;100%, better</td>`))
	g.Expect(page).To(ContainSubstring(`<td class="good">▼ -50%, better</td>`))
}

func TestOnlyAPageWithAFailureOffersToJumpToIt(t *testing.T) {
	g := NewWithT(t)
	for v, want := range map[check.Verdict]string{
		check.Pass: "", check.Aborted: "", check.Fail: "the first failure", check.Error: "what went wrong",
		check.Inconclusive: "what is missing",
	} {
		page := pageOf(g, build(history.Header{Scenario: "a"}, events(),
			check.Result{Verdict: v, Findings: []check.Finding{{Verdict: v, Text: "why"}}}))
		if want == "" {
			g.Expect(page).NotTo(ContainSubstring("Jump to"), "%s", v)
		} else {
			g.Expect(page).To(ContainSubstring("Jump to "+want+"</a>"), "%s", v)
		}
	}
}

// A run that never began has a page too.
func TestAReportWithoutAHistoryHasAPage(t *testing.T) {
	g := NewWithT(t)
	r := &reports.Report{
		Facts:  reports.Facts{Scenario: "made up", DurationS: 3},
		Result: check.Result{Verdict: check.Error, Cause: "no"},
	}
	g.Expect(pageOf(g, r)).To(ContainSubstring("Nothing was recorded that could be drawn."))
}

// However few members there are, the axis beside them has three numbers or more.
func TestAnAxisHasThreeNumbersOrMore(t *testing.T) {
	for _, slots := range []int{2, 3, 8, 9, 40} {
		g := NewWithT(t)
		figure := figureOf(pageOf(g, judged(storm.Storm{Tasks: 500, Kills: 5, Slots: slots})), "ready")
		g.Expect(len(regexp.MustCompile(`text-anchor="end">([^<]*)<`).FindAllString(figure, -1))).
			To(BeNumerically(">=", 3), "%d members", slots)
	}
}
