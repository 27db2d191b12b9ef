package reports_test

import (
	"bytes"
	"iter"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
)

// a death of slot 2 by injection n at a time, in three parts.
func planned(n int, at time.Duration) history.Event {
	return history.Event{T: at, Fault: &history.Fault{
		N: n, Op: history.Planned, Fault: "signal KILL", Due: at, Victim: &history.Victim{PID: 100 + n, Slot: 2},
	}}
}

func settled(n int, at, death time.Duration) history.Event {
	return history.Event{T: at, Fault: &history.Fault{
		N: n, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true,
		Receipt: &history.Receipt{Tier: "wait status", At: death},
	}}
}

func probed(n int, op history.ProbeOp, at time.Duration) history.Event {
	return history.Event{T: at, Probe: &history.Probe{For: n, Slot: 2, Op: op, PID: 101 + n}}
}

// judgedAll is the report of those events, judged.
func judgedAll(list iter.Seq2[history.Event, error]) *reports.Report {
	h := history.Header{Scenario: "made up", Target: history.Target{Kind: "pool", Size: 4}}
	result := check.Judge(h, list)
	return reports.Of(result.Ledger, result)
}

// With a spare at hand the replacement answers before the harness has its evidence together.
func TestAProbeThatIsAnsweredBeforeTheDeathIsConfirmedIsARecovery(t *testing.T) {
	g := NewWithT(t)
	const ms = time.Millisecond
	page := pageOf(g, judgedAll(events(
		planned(5, 1000*ms), probed(5, history.Sent, 1010*ms), probed(5, history.Answered, 1060*ms),
		settled(5, 1100*ms, 1005*ms),
		planned(6, 2000*ms), probed(6, history.Sent, 2010*ms), probed(6, history.NoAnswer, 2060*ms),
		settled(6, 2100*ms, 2005*ms),
		history.Event{T: 3000 * ms, Stage: &history.Stage{Name: history.Stop}},
	)))
	g.Expect(page).To(ContainSubstring("#5 slot 2: 55ms"))
	g.Expect(page).To(ContainSubstring("#6 slot 2: never"))
}

// What a page cannot show is counted, not taken for what did not happen.
func TestManyRecoveriesAreCountedWhole(t *testing.T) {
	g := NewWithT(t)
	const n = 6000
	r := judgedAll(func(yield func(history.Event, error) bool) {
		for i := range n {
			at := time.Duration(i+1) * 10 * time.Millisecond
			for _, e := range []history.Event{
				planned(i+1, at), settled(i+1, at+2e6, at+1e6), probed(i+1, history.Answered, at+5e6),
			} {
				if !yield(e, nil) {
					return
				}
			}
		}
	})
	page := pageOf(g, r)
	g.Expect(strings.Count(page, ": never")).To(BeZero())
	g.Expect(page).To(ContainSubstring("The first 1,500 of 6,000 deaths are shown"))
	var out bytes.Buffer
	g.Expect(r.Markdown(&out, nil)).To(Succeed())
	g.Expect(out.String()).To(ContainSubstring("6,000 injections: 6,000 confirmed."))
	g.Expect(reports.Index(&out, []reports.IndexEntry{{Report: r}})).To(Succeed())
	g.Expect(out.String()).To(ContainSubstring("<td>6,000</td>"))
}

// Slots that never came back are no fewer than the page can show either.
func TestManyThatNeverCameBackAreBounded(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	page := pageOf(g, judgedAll(func(yield func(history.Event, error) bool) {
		for i := range 6000 {
			at := time.Duration(i+1) * 10 * time.Millisecond
			if !yield(planned(i+1, at), nil) || !yield(settled(i+1, at+2e6, at+1e6), nil) {
				return
			}
		}
		yield(history.Event{T: time.Hour, Stage: &history.Stage{Name: history.Stop}}, nil)
	}))
	g.Expect(strings.Count(page, ": never")).To(Equal(1500))
	g.Expect(page).To(ContainSubstring("The first 1,500 of 6,000 deaths are shown"))
}

// Samples come at longer intervals than the bins of a short run.
func TestCPUsInUseAreCountedBetweenSamples(t *testing.T) {
	for _, apart := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond} {
		g := NewWithT(t)
		page := pageOf(g, judgedAll(func(yield func(history.Event, error) bool) {
			for i := range 20 {
				at := time.Duration(i) * apart
				if !yield(history.Event{T: at, Sample: &history.Sample{Want: 4, Ready: 4, Alive: 4, CPU: 2 * at}},
					nil) {
					return
				}
			}
		}))
		table := regexp.MustCompile(`(?s)id="fig-cpu".*?<tbody>(.*?)</tbody>`).FindStringSubmatch(page)
		g.Expect(table).NotTo(BeNil())
		rows := regexp.MustCompile(`<td>([0-9.]+)</td></tr>`).FindAllStringSubmatch(table[1], -1)
		g.Expect(len(rows)).To(BeNumerically(">=", 10))
		for _, row := range rows[1:] {
			g.Expect(number(g, row[1])).To(BeNumerically("~", 2, 0.01), "samples %v apart", apart)
		}
	}
}

// The page blames for an exit whom the judge blames, and nobody but for those that the judge cannot explain.
func TestTheExitsOfAPageHaveTheCausesOfTheJudge(t *testing.T) {
	exit := func(at time.Duration, pid int) history.Event {
		return history.Event{T: at, Member: &history.MemberEvent{
			Op: history.Exited, PID: pid, Slot: 1, Exit: &history.Exit{Code: 42, Kind: "crashed"},
		}}
	}
	fault := func(at time.Duration, f history.Fault) history.Event {
		f.N = 1
		return history.Event{T: at, Fault: &f}
	}
	whole, parent := history.Fault{Fault: "poison 42"},
		history.Fault{Fault: "supervisor KILL", Victim: &history.Victim{Slot: -1, PID: 9}}
	proof := &history.Receipt{Tier: "wait status", PIDs: []int{11, 12}}
	op := func(f history.Fault, op history.FaultOp) history.Fault {
		f.Op = op
		if op == history.Concluded {
			f.Outcome, f.Receipt, f.Fatal = history.Confirmed, proof, f.Victim != nil
		}
		return f
	}
	for name, f := range map[string]history.Fault{"those of a receipt": whole, "all of a parent": parent} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := judgedAll(events(
				history.Event{Stage: &history.Stage{Name: history.Chaos}},
				exit(1e8, 10),
				fault(2e9, op(f, history.Planned)), fault(2e9, op(f, history.Injected)),
				exit(21e8, 11), exit(22e8, 12), fault(23e8, op(f, history.Concluded)),
				history.Event{T: 3e9, Stage: &history.Stage{Name: history.Stop}},
				exit(4e9, 13),
			))
			g.Expect(r.Metrics).To(HaveKeyWithValue("exits.unexplained", 1.0))
			g.Expect([]int{r.Exits[0].Fault, r.Exits[1].Fault, r.Exits[2].Fault, r.Exits[3].Fault}).
				To(Equal([]int{0, 1, 1, 0}))
			g.Expect(pageOf(g, r)).
				To(MatchRegexp(`(?s)<table><thead><tr><th scope="col">ended by</th><th scope="col">a fault</th>` +
					`<th scope="col">nobody knows</th><th scope="col">the target itself</th></tr></thead><tbody>\s*<tr>` +
					`<th scope="row">exit code 42</th><td class="">2</td><td class="bad">1</td><td class="">1</td></tr>`))
		})
	}
}
