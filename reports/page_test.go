package reports_test

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
)

// storm is a made-up run of eight slots over a minute, with kills, recoveries, samples and that many tasks: enough to
// draw every figure.
func storm(tasks int) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		rng := rand.New(rand.NewPCG(1, 2))
		send := func(at time.Duration, e history.Event) bool { e.T = at; return yield(e, nil) }
		pids := make([]int, 8)
		for s := range pids {
			pids[s] = 100 + s
			send(0, history.Event{Member: &history.Member{Op: "started", Slot: s, PID: pids[s], Gen: 1}})
			send(20*time.Millisecond, history.Event{Member: &history.Member{Op: "ready", Slot: s, PID: pids[s], Gen: 1}})
		}
		send(time.Second, history.Event{Stage: &history.Stage{Name: "chaos"}})
		const length = time.Minute
		n := 0
		for i := range tasks {
			at := time.Duration(float64(length) * float64(i) / float64(tasks))
			for next := time.Duration(n+1) * 500 * time.Millisecond; at >= next && n < 100; next = time.Duration(n+1) * 500 * time.Millisecond {
				n++
				s := rng.IntN(8)
				v := &history.Victim{Slot: s, PID: pids[s], Phase: []string{"idle", "running"}[rng.IntN(2)]}
				send(next, history.Event{Fault: &history.Fault{N: n, Op: "planned", Fault: "signal KILL", Victim: v, Due: next}})
				send(next+time.Millisecond, history.Event{Member: &history.Member{Op: "exited", Slot: s, PID: pids[s], Exit: &history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"}}})
				send(next+2*time.Millisecond, history.Event{Fault: &history.Fault{N: n, Op: "settled", Outcome: "confirmed", Fatal: true, Receipt: &history.Receipt{
					Tier: "wait status", At: next + 900*time.Microsecond, Evidence: map[string]string{"signal": "SIGKILL"},
				}}})
				pids[s] = 1000 + n
				took := time.Duration(8+rng.ExpFloat64()*6) * time.Millisecond
				send(next+3*time.Millisecond, history.Event{Member: &history.Member{Op: "started", Slot: s, PID: pids[s], Gen: 2}})
				send(next+took, history.Event{Member: &history.Member{Op: "ready", Slot: s, PID: pids[s], Gen: 2}})
				send(next+took+time.Millisecond, history.Event{Probe: &history.Probe{Slot: s, Op: "answered", For: n, PID: pids[s]}})
				send(next, history.Event{Sample: &history.Sample{Want: 8, Ready: 7, Alive: 7, RSS: 60 << 20, ParentRSS: 30 << 20, FDs: 80, Goroutines: 90, CPU: next / 4}})
				send(next+took, history.Event{Sample: &history.Sample{Want: 8, Ready: 8, Alive: 8, RSS: 64 << 20, ParentRSS: 30 << 20, FDs: 84, Goroutines: 92, CPU: next / 4}})
			}
			id := uint64(i + 1)
			latency := time.Duration(2+rng.ExpFloat64()*3) * time.Millisecond
			end := history.Task{ID: id, Op: "settled", Outcome: history.OK, Latency: latency, Attempts: 1}
			if i%997 == 0 {
				end.Attempts = 2
			}
			if i == tasks/2 {
				end.Outcome, end.Err = history.Failed, hostile
			}
			if !send(at, history.Event{Task: &history.Task{ID: id, Op: "submitted"}}) || !send(at+latency, history.Event{Task: &end}) {
				return
			}
			send(at+latency, history.Event{Run: &history.Run{Task: id, Attempt: 1, PID: pids[i%8], Start: at, End: at + latency}})
		}
		send(length, history.Event{Member: &history.Member{Op: "exited", Slot: 3, PID: pids[3], Exit: &history.Exit{
			Code: 3, Kind: "crashed", Stderr: hostile + string(bytes.Repeat([]byte("spam "), 200_000)),
		}}})
	}
}

var stormHeader = history.Header{
	Scenario: "random-kill", Seed: 42, Command: "respawn run random-kill --seed 42", Started: time.Unix(1_790_000_000, 0), Source: "name: random-kill\n",
	Description: "A random worker is killed every half second.",
	Target:      history.Target{Kind: "pool", Name: "respawn pool", Size: 8},
	Environment: map[string]string{"kernel": "Linux 6.18", "evil": hostile}, Floors: map[string]float64{"respawn": 0.0062},
}

func stormResult(v check.Verdict) check.Result {
	r := check.Result{
		Verdict: v, Cause: "100 deaths, each slot back within 61 ms; 20,000 tasks settled once with the right value.",
		Metrics:    map[string]float64{"slot.recovery.p50": 0.012, "tasks.ok": 20000, "memory.members.max": 64 << 20},
		Thresholds: []check.Threshold{{Group: "expect", Text: "slot.recovery.max <= 250ms", Metric: "slot.recovery.max", Op: "<=", Limit: 0.25, Actual: 0.061, Margin: 0.189, Samples: 100, OK: true}},
	}
	if v != check.Pass {
		r.Cause = "A worker ended and nobody knows why: slot 3, exit code 3."
		r.Findings = []check.Finding{{Verdict: v, Text: r.Cause, Event: 17}, {Verdict: v, Text: hostile}}
		r.Thresholds = append(r.Thresholds, check.Threshold{Group: "expect", Text: "tasks.lost == 0", Metric: "tasks.lost", Op: "==", Actual: 2, Margin: -2, Samples: 9})
	}
	return r
}

func TestPageHasItsElementsAndKeepsHostileTextInert(t *testing.T) {
	g := NewWithT(t)
	r := build(stormHeader, storm(5000), stormResult(check.Fail))
	var out bytes.Buffer
	g.Expect(r.HTML(&out, []*reports.Report{r, r})).To(Succeed())
	if path := os.Getenv("RESPAWN_PAGE"); path != "" {
		g.Expect(os.WriteFile(path, out.Bytes(), 0o644)).To(Succeed())
	}
	page := out.String()
	for _, want := range []string{
		`class="verdict">FAIL<`, "A worker ended and nobody knows why", "respawn run random-kill --seed 42", "slot.recovery.max &lt;= 250ms",
		"wait status", `id="fig-lanes"`, `id="fig-ready"`, `id="fig-recovery"`, `id="fig-spread"`, `id="fig-throughput"`, `id="fig-latency"`,
		`id="fig-memory"`, "Task ledger", "Genealogy", "Against the baseline", "Coverage", "Environment", `id="failure"`, "Content-Security-Policy",
	} {
		g.Expect(page).To(ContainSubstring(want))
	}
	g.Expect(page).NotTo(ContainSubstring("<script>alert"))
	g.Expect(page).NotTo(ContainSubstring("\x00"))
	g.Expect(page).NotTo(ContainSubstring("\x1b"))
	g.Expect(page).NotTo(MatchRegexp(`(?i)(src|href)="https?:`))
	g.Expect(len(page)).To(BeNumerically("<", 5<<20))
}
