package reports_test

import (
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

// lostTask is a run in which fault 1 kills slot 0, fault 2 slot 1 in the middle of task 7, and nobody runs that again.
func lostTask() []history.Event {
	const ms = time.Millisecond
	kill := func(n, slot, pid int, at time.Duration) []history.Event {
		v := &history.Victim{Slot: slot, PID: pid, Phase: "running"}
		return []history.Event{
			{T: at, Fault: &history.Fault{N: n, Op: history.Planned, Fault: "signal KILL", Victim: v, Due: at}},
			{T: at + 1*ms, Fault: &history.Fault{N: n, Op: history.Injected, Fault: "signal KILL", Victim: v}},
			{T: at + 2*ms, Member: &history.MemberEvent{
				Op: history.Exited, Slot: slot, PID: pid,
				Exit: &history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"},
			}},
			{T: at + 3*ms, Fault: &history.Fault{
				N: n, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true,
				Receipt: &history.Receipt{Tier: "wait status", At: at + 1*ms},
			}},
			{T: at + 4*ms, Member: &history.MemberEvent{Op: history.Started, Slot: slot, PID: pid + 100, Gen: 2}},
			{T: at + 8*ms, Member: &history.MemberEvent{Op: history.Ready, Slot: slot, PID: pid + 100, Gen: 2}},
			{T: at + 9*ms, Probe: &history.Probe{Slot: slot, Op: history.Answered, For: n, PID: pid + 100}},
		}
	}
	list := []history.Event{{Stage: &history.Stage{Name: history.Boot}}}
	for slot := range 2 {
		list = append(list,
			history.Event{T: 1 * ms, Member: &history.MemberEvent{Op: history.Started, Slot: slot, PID: 11 + slot}},
			history.Event{T: 2 * ms, Member: &history.MemberEvent{Op: history.Ready, Slot: slot, PID: 11 + slot}})
	}
	list = append(list, history.Event{T: 50 * ms, Stage: &history.Stage{Name: history.Chaos}})
	list = append(list, kill(1, 0, 11, 100*ms)...)
	list = append(list, history.Event{T: 180 * ms, Task: &history.Task{ID: 7, Op: history.Submitted}})
	list = append(list, kill(2, 1, 12, 200*ms)...)
	return append(list,
		history.Event{T: 300 * ms, Task: &history.Task{
			ID: 7, Op: history.Settled, Outcome: history.Lost, Err: "its worker is gone", Latency: 120 * ms,
			Attempts: 1,
		}},
		history.Event{T: 400 * ms, Stage: &history.Stage{Name: history.Stop}},
		history.Event{T: 400 * ms, Run: &history.Run{Task: 7, Attempt: 1, PID: 12, Start: 190 * ms}},
	)
}

// The first thing below the cause is what happened, and the killer of the task that failed is one link away from the
// top.
func TestAFailureTellsItsStory(t *testing.T) {
	g := NewWithT(t)
	h := history.Header{
		Scenario: "made up", Load: &history.Load{Task: "sleep", Count: 1},
		Target: history.Target{Kind: "pool", Size: 2, Can: []string{"events", "witness"}},
	}
	path := t.TempDir() + "/history.jsonl"
	at := time.Duration(0)
	w, err := history.Create(path, h, history.Options{Now: func() time.Duration { return at }})
	g.Expect(err).NotTo(HaveOccurred())
	for _, e := range lostTask() {
		at = e.T
		g.Expect(w.Append(e)).To(Succeed())
	}
	g.Expect(w.Close(false)).To(Succeed())
	r, err := reports.Judge(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Verdict).To(Equal(reports.Fail), r.Cause)
	page := pageOf(g, r)

	header := page[strings.Index(page, "<header"):strings.Index(page, "</header>")]
	links := regexp.MustCompile(`href="#((?:fault|task|slot)-[0-9]+)"`).FindAllStringSubmatch(header, -1)
	g.Expect(links).NotTo(BeEmpty())
	g.Expect(links[0][1]).To(Equal("fault-2"), "it cut the task short, and fault 1 did not")
	g.Expect(header).To(ContainSubstring(`href="#task-7"`))
	g.Expect(header).To(ContainSubstring(`href="#slot-1"`))

	main := page[strings.Index(page, "<main"):]
	g.Expect(main).To(MatchRegexp(`^<main id="main">\s*<section id="story"`), "nothing comes before it")
	story := main[:strings.Index(main, "</section>")]
	for _, part := range []string{
		"its value, from another execution once a death had cut the first short",
		"the error that its worker was lost: its worker is gone", `<a href="#task-7">task 7</a> submitted`,
		"execution 1 of the task begins in pid 12", "pid 12 ended: SIGKILL, by fault #2",
		"signal KILL on slot 1, pid 12, running: confirmed by wait status",
		"pid 112 is ready and answers, 8ms after the death",
	} {
		g.Expect(story).To(ContainSubstring(part))
	}
	g.Expect(story).NotTo(ContainSubstring("pid 11 "), "that slot has no part in it")
	quotes := regexp.MustCompile(
		`<li id="line-([0-9]+)"( class="named")?><span class="when">[0-9]+</span> <code>([^<]*)</code>`).
		FindAllStringSubmatch(story, -1)
	g.Expect(len(quotes)).To(BeNumerically(">=", 9))
	named := ""
	for _, q := range quotes {
		if q[2] != "" {
			named = q[3]
		}
	}
	g.Expect(named).To(ContainSubstring("its worker is gone"))
	g.Expect(story).To(ContainSubstring(`<svg data-time`), "the strip")
}

// Each link within a page leads somewhere, and each place has one name.
func TestLinksWithinAPageLeadSomewhere(t *testing.T) {
	pages := map[string]*reports.Report{
		"broken": judged(storm.Storm{Tasks: 4_000, Kills: 60, Slots: 40, Broken: true}),
		"passed": judged(storm.Storm{Tasks: 4_000, Kills: 60, Slots: 8}),
		"cut":    judged(storm.Storm{Tasks: 4_000, Kills: 900, Slots: 600, Broken: true}),
	}
	for _, name := range recordedNames(t) {
		r, err := reports.Judge(unpack(t, name))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		pages[name] = r
	}
	for name, r := range pages {
		g := NewWithT(t)
		page := pageOf(g, r)
		ids := map[string]int{}
		for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			ids[id[1]]++
		}
		for id, n := range ids {
			g.Expect(n).To(Equal(1), "%s: %s is the name of %d places", name, id, n)
		}
		for _, to := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
			g.Expect(ids).To(HaveKey(to[1]), name)
		}
	}
}

// Runs of one experiment stand together with their spread, and what is worst comes first.
func TestTheIndexGroupsRepeatsAndPutsTheWorstFirst(t *testing.T) {
	g := NewWithT(t)
	run := func(scenario string, v reports.Verdict, recovery float64) reports.IndexEntry {
		r := &reports.Report{}
		r.Scenario, r.Verdict, r.Seed, r.Started, r.Target.Name = scenario, v, 7, time.Unix(0, 0), "respawn"
		r.Metrics = map[string]float64{"slot.recovery.max": recovery}
		return reports.IndexEntry{Report: r, Dir: scenario}
	}
	var out strings.Builder
	g.Expect(reports.Index(&out, []reports.IndexEntry{
		run("fine", reports.Pass, 0.01), run("often", reports.Pass, 0.02), run("often", reports.Fail, 0.04),
		run("often", reports.Pass, 0.03),
	})).To(Succeed())
	page := out.String()
	g.Expect(page).To(ContainSubstring("3 runs: 1 FAIL, 2 PASS; recovery 20ms to 40ms"))
	g.Expect(strings.Index(page, ">often</a>")).To(BeNumerically("<", strings.Index(page, ">fine</a>")),
		"the worst first")
	first := page[strings.Index(page, ">often</a>"):]
	g.Expect(first[:strings.Index(first, "</tr>")]).To(And(ContainSubstring("FAIL"), ContainSubstring("33%"),
		ContainSubstring("<td>7</td>"), ContainSubstring("1970-01-01<br>00:00")))
}

// An answer that should never have come is nobody's task: one that a death cut short and that was run again has no part
// in it.
func TestAStoryOfABadAnswerTellsOfNoOtherTask(t *testing.T) {
	g := NewWithT(t)
	h := history.Header{
		Scenario: "made up", Target: history.Target{Kind: "driver", Size: 2, Can: []string{"events", "witness"}},
	}
	list := lostTask()
	list = append(list, history.Event{
		T: list[len(list)-1].T, Member: &history.MemberEvent{Op: history.BadAnswer, Slot: -1, Err: "pretence"},
	})
	bad := check.Finding{
		Verdict: check.Fail, Metric: "results.rejected", Text: "1 answer is missing or should never have come",
		Event: len(list) + 1,
	}
	page := pageOf(g, build(h, events(list...), check.Result{Verdict: check.Fail, Findings: []check.Finding{bad}}))
	g.Expect(page).To(ContainSubstring(`<section id="story"`))
	story := page[strings.Index(page, `<section id="story"`):]
	story = story[:strings.Index(story, "</section>")]
	g.Expect(story).NotTo(ContainSubstring("task 7"))
}
