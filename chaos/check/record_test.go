package check_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// file writes the story as a harness would and returns its text.
func (s *story) file(t interface{ Fatal(...any) }) []byte {
	var b bytes.Buffer
	var now time.Duration
	w, err := history.NewWriter(&b, s.h, history.Options{Now: func() time.Duration { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.events {
		if e.End != nil {
			break
		}
		now = e.T
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func judgeText(text []byte) (check.Result, error) {
	r, err := history.NewReader(bytes.NewReader(text))
	if err != nil {
		return check.Result{}, err
	}
	return check.Judge(r.Header, r.Events()), nil
}

// anyRun draws a run in which everything went well, of any size and with any kinds of faults.
func anyRun(t *rapid.T) *story {
	size := rapid.IntRange(1, 6).Draw(t, "size")
	slot := rapid.IntRange(0, size-1)
	s := newStory(size).boot().stage(history.Steady).work(0).sample(size).stage(history.Chaos).sample(size)
	s.kill(slot.Draw(t, "slot"))
	for range rapid.IntRange(0, 20).Draw(t, "steps") {
		s.wait(time.Duration(rapid.IntRange(0, 300).Draw(t, "wait")) * tick)
		switch at := slot.Draw(t, "slot"); rapid.IntRange(0, 6).Draw(t, "step") {
		case 0:
			s.kill(at)
		case 1: // a busy one: its task runs twice
			id := s.submit()
			s.run(id, s.pids[at], s.now, 0).kill(at)
			s.run(id, s.pids[at], s.now, s.now+tick).wait(2*tick).settle(id, history.OK, "")
		case 2:
			s.strike(at, rapid.SampledFrom([]history.FaultOutcome{
				history.Refused, history.AlreadyGone, history.Missed,
			}).Draw(t, "outcome"), false)
		case 3:
			s.sample(size)
		default:
			s.work(at)
		}
	}
	return s.verify(size).stop().end()
}

func TestWhateverGoesWellPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if r := anyRun(t).judge(); r.Verdict != check.Pass {
			t.Fatalf("%s: %s", r.Verdict, r.Cause)
		}
	})
}

func TestJudgingAgainGivesTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyRun(t)
		s.expect("slot.recovery.max <= 250ms", "tasks.executions.max <= 2")
		s.settle(s.submit(), history.Wrong, "").settle(s.submit(), history.Hung, "")
		text := s.file(t)
		first, err := judgeText(text)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(first)
		for range 3 {
			again, _ := judgeText(text)
			if b, _ := json.Marshal(again); !bytes.Equal(a, b) {
				t.Fatalf("first %s, then %s", a, b)
			}
		}
	})
}

func TestDamagedHistoryNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyRun(t).file(t)
		lines := bytes.SplitAfter(text, []byte("\n"))
		lines = lines[:len(lines)-1]
		at := rapid.IntRange(1, len(lines)-1).Draw(t, "line")
		var broken []byte
		how := rapid.SampledFrom([]string{"cut", "line removed", "line doubled", "byte changed"}).Draw(t, "how")
		switch how {
		case "cut":
			broken = text[:rapid.IntRange(len(lines[0]), len(text)-1).Draw(t, "at")]
		case "line removed":
			broken = bytes.Join(slices.Delete(slices.Clone(lines), at, at+1), nil)
		case "line doubled":
			broken = bytes.Join(slices.Insert(slices.Clone(lines), at, lines[at]), nil)
		case "byte changed":
			broken = bytes.Clone(text)
			i := rapid.IntRange(len(lines[0]), len(text)-2).Draw(t, "at")
			broken[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		}
		r, err := judgeText(broken)
		if err == nil && r.Verdict == check.Pass {
			t.Fatalf("%s at line %d: PASS", how, at+1)
		}
	})
}

func TestOneDefectNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyRun(t)
		at := len(s.events)
		for i, e := range s.events {
			if e.Stage != nil && e.Stage.Name == history.Settle {
				at = i
			}
		}
		rest := slices.Clone(s.events[at:])
		s.events, s.now = s.events[:at], s.events[at-1].T
		how := rapid.SampledFrom([]string{
			"lost", "hung", "failed", "wrong", "unsettled", "twice", "rerun", "death", "collateral",
		}).Draw(t, "how")
		switch how {
		case "lost", "hung", "failed", "wrong":
			s.settle(s.submit(), history.Outcome(how), "")
		case "unsettled":
			s.submit()
		case "twice":
			s.work(0).settle(s.task, history.OK, "")
		case "rerun":
			s.work(0).run(s.task, s.pids[0], s.now, s.now+tick)
		case "death":
			s.exit(0, "", history.Exit{Code: -1, Signal: "SIGKILL"}).start(0)
		case "collateral":
			s.exit(0, "restart", history.Exit{}).start(0)
		}
		later := s.now - rest[0].T + tick
		for _, e := range rest {
			if e.Probe != nil && e.Probe.Slot == 0 {
				e.Probe.PID = s.pids[0]
			}
			e.T += later
			s.events = append(s.events, e)
		}
		if r := s.judge(); r.Verdict != check.Fail {
			t.Fatalf("%s: %s: %s", how, r.Verdict, r.Cause)
		}
	})
}

func TestLiveHasTheFiguresOfTheJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyRun(t)
		live := check.NewLive(s.h)
		for i, e := range s.events {
			live.Add(i+2, e)
		}
		final := s.judge().Metrics
		for name, v := range live.Snapshot() {
			m, _ := check.Lookup(name)
			if !m.Live {
				t.Fatalf("%s is not live", name)
			}
			if want, ok := final[name]; name != "tasks.throughput" && (!ok || v != want) {
				t.Fatalf("%s is %v live, %v judged", name, v, want)
			}
		}
	})
}

func TestResultsSurviveJSON(t *testing.T) {
	g := NewWithT(t)
	s := good()
	s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Probe != nil && e.Probe.Slot == 3 })
	r := s.expect("slot.recovery.max <= 250ms", "slot.recovery.max >= 1s", "slot.recovery.max == slot.recovery.p50").
		judge()
	b, err := json.Marshal(r)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(b)).To(ContainSubstring(`"slot.recovery.max":"+Inf"`))
	g.Expect(string(b)).To(ContainSubstring(`"actual":"+Inf","margin":"-Inf"`))
	var back check.Result
	g.Expect(json.Unmarshal(b, &back)).To(Succeed())
	g.Expect(r.Ledger.Causes()).NotTo(BeEmpty())
	r.Ledger = nil // it is not written
	g.Expect(back).To(Equal(r))
	g.Expect(json.Unmarshal([]byte(`{"metrics":{"a":"x"}}`), &back)).NotTo(Succeed())
}

// BenchmarkMillionEvents reads and judges a history of a million lines.
func BenchmarkMillionEvents(b *testing.B) {
	s := newStory(4).boot().stage(history.Steady)
	work := func(tasks int) {
		for range tasks {
			s.task++
			s.now += 10 * time.Microsecond
			s.events = append(
				s.events,
				history.Event{T: s.now, Task: &history.Task{ID: s.task, Op: history.Submitted}},
				history.Event{
					T:    s.now,
					Task: &history.Task{ID: s.task, Op: history.Settled, Outcome: history.OK, Latency: tick, PID: 401},
				},
				history.Event{T: s.now, Run: &history.Run{Task: s.task, PID: 401, Start: s.now, End: s.now}},
			)
		}
	}
	work(100_000)
	s.sample(4).stage(history.Chaos).sample(4)
	for range 1000 {
		s.kill(1)
	}
	work(230_000)
	s.verify(4).stop().end()
	text := s.file(b)
	s.events = nil
	b.ReportAllocs()
	for b.Loop() {
		if r, err := judgeText(text); err != nil || r.Verdict != check.Pass {
			b.Fatal(r.Cause, err)
		}
	}
}

func TestEveryMetricCanBeComputed(t *testing.T) {
	g := NewWithT(t)
	s := good()
	for _, m := range check.Metrics() {
		limit := map[check.Unit]string{
			check.Count: "2", check.Seconds: "1s", check.Bytes: "1B", check.PerSecond: "1/s", check.Ratio: "1%",
		}[m.Unit]
		s.rules("expect", fmt.Sprintf("%s >= %s", m.Name, limit))
		g.Expect(m.Meaning).To(HaveSuffix("."), m.Name)
		g.Expect(m.Formula).To(HaveSuffix("."), m.Name)
		g.Expect(strings.Contains(m.Meaning+m.Formula, "%")).To(BeFalse(), m.Name)
	}
	r := s.judge()
	for _, th := range r.Thresholds {
		g.Expect(th.Of).NotTo(BeEmpty(), "%s does not tell what its samples are", th.Metric)
	}
	g.Expect(r.Thresholds).To(HaveLen(len(check.Metrics())+1), "the one of require too")
	for _, p := range check.Promises() {
		_, ok := check.Lookup(p)
		g.Expect(ok).To(BeTrue(), p)
	}
}
