package check_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/check"
)

func TestRuleIsReadAndWrittenCanonically(t *testing.T) {
	for text, want := range map[string]string{
		"pool.ready == 8":                          "pool.ready == 8",
		"  pool.ready==8 ":                         "pool.ready == 8",
		"tasks.throughput >= 50/s":                 "tasks.throughput >= 50/s",
		"tasks.throughput >= 3000/m":               "tasks.throughput >= 50/s",
		"slot.recovery.p99 <= 250ms":               "slot.recovery.p99 <= 250ms",
		"slot.recovery.p99 <= 0.25s":               "slot.recovery.p99 <= 250ms",
		"tasks.wall < 90s":                         "tasks.wall < 1m30s",
		"tasks.wall < 120s":                        "tasks.wall < 2m",
		"slot.recovery.max <= 3x floor.respawn":    "slot.recovery.max <= 3x floor.respawn",
		"slot.recovery.max <= 1.50x floor.respawn": "slot.recovery.max <= 1.5x floor.respawn",
		"slot.recovery.p99 <= 250ms/core":          "slot.recovery.p99 <= 250ms/core",
		"tasks.throughput >= 50/s/core":            "tasks.throughput >= 50/s/core",
		"pids.turnover == exits.replaced":          "pids.turnover == exits.replaced",
		"pool.ready < 1 for 5000ms":                "pool.ready < 1 for 5s",
		"memory.growth <= 1.5GiB":                  "memory.growth <= 1536MiB",
		"memory.growth <= -1MiB":                   "memory.growth <= -1MiB",
		"load.achieved >= 80%":                     "load.achieved >= 80%",
		"load.achieved >= 99.9%":                   "load.achieved >= 99.9%",
		"tasks.executions.mean <= 1.25":            "tasks.executions.mean <= 1.25",
		"allow tasks.failed >= 0":                  "allow tasks.failed >= 0",
	} {
		t.Run(text, func(t *testing.T) {
			g := NewWithT(t)
			r, err := check.ParseRule(text)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.String()).To(Equal(want))
			again, err := check.ParseRule(want)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(again).To(Equal(r))
		})
	}
}

func TestRuleErrorsSayWhereAndWhatWouldBeRight(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "column 1: a metric is missing: want for example pool.ready == 8",
		"== 8":                    "column 1: a metric is missing: want for example pool.ready == 8",
		"pool.redy == 8":          `column 1: unknown metric "pool.redy": did you mean "pool.ready"?`,
		"cows == 8":               `column 1: unknown metric "cows": the metrics are listed in docs/metrics.md`,
		"probes.of.all.kinds > 1": `column 1: unknown metric "probes.of.all.kinds": known are probes.answered, probes.failed`,
		"pool.ready":              "column 11: a comparison is missing: want one of == != < <= > >= after pool.ready",
		"pool.ready = 8":          `column 12: unknown comparison "=": did you mean ==?`,
		"pool.ready =< 8":         `column 12: unknown comparison "=<": did you mean <=?`,
		"pool.ready ==== 8":       `column 12: unknown comparison "====": want one of == != < <= > >=`,
		"pool.ready ==":           "column 14: a value is missing: want a number without a unit, such as 8",
		"pool.ready == 8s":        `column 15: pool.ready is a count: want a number without a unit, such as 8, not "8s"`,
		"pool.ready == 7.5":       "column 15: pool.ready is a count: want a whole number, not 7.5",
		"pool.ready == 010":       "column 15: 010 has a zero in front: write 10",
		"slot.recovery.p99 <= 250": "column 22: 250 needs a unit, for slot.recovery.p99 is a time: want " +
			"250ms or 250s",
		"slot.recovery.p99 <= 64MiB": `column 22: slot.recovery.p99 is a time: want a number with ns, us, ms, s, m or h, such as 250ms, not "64MiB"`,
		"slot.recovery.p99 <= 010ms": "column 22: 010ms has a zero in front: write 10ms",
		"memory.growth <= 64MB":      `column 18: memory.growth is a size: want a number with B, KiB, MiB, GiB or TiB, such as 64MiB, not "64MB"`,
		"memory.growth <= 0.3B":      "column 18: 0.3B is not a whole number of bytes",
		"tasks.throughput >= 50":     "column 21: 50 needs a unit, for tasks.throughput is a rate: want 50/s",
		"load.achieved >= 0.5":       "column 18: 0.5 needs a unit, for load.achieved is a ratio: want 0.5%",
		"slot.recovery.max < 0s":     "column 21: this can never hold: slot.recovery.max is never below 0",
		"tasks.lost == -1":           "column 15: this can never hold: tasks.lost is never below 0",
		"tasks.lost > -1":            "column 14: this always holds: tasks.lost is never below 0",
		"slot.recovery.max <= 3x " +
			"floor.respwan": `column 25: 3x of what? unknown floor "floor.respwan": did you mean "floor.respawn"?`,
		"slot.recovery.max <= floor.respawn": "column 22: a multiple of a floor is written with its factor: " +
			"3x floor.respawn",
		"pool.ready <= 3x floor.respawn": "column 15: pool.ready is a count, and floors are times: want a " +
			"number without a unit, such as 8",
		"pids.turnover == " +
			"exits.replacd": `column 18: unknown metric "exits.replacd": did you mean "exits.replaced"?`,
		"pids.turnover == slot.recovery.max": "column 18: pids.turnover is a count and slot.recovery.max a " +
			"time: they cannot be compared",
		"pids.turnover == pids.turnover": "column 18: pids.turnover is compared with itself",
		"pool.ready < 1 for":             `column 19: for "": want a duration such as 5s`,
		"pool.ready < 1 for 5":           `column 20: for "5": want a duration such as 5s`,
		"pool.ready < " +
			"1 fro 5s": `column 16: "fro" is too much: only "for" and a duration may follow the value`,
		"pool.ready < 1 for 5s or so": `column 23: "or" is too much: the condition ends before it`,
		"tasks.duplicated < 1 for 5s": "column 22: tasks.duplicated is known only at the end of the " +
			"run: it cannot be watched for a time",
		"pöol == 1": `column 1: unknown metric "pöol": the metrics are listed in docs/metrics.md`,
		"pool.ready == " +
			"\"ü\" 8": `column 15: pool.ready is a count: want a number without a unit, such as 8, not "\"ü\""`,
		"pool.ready == " + strings.Repeat("8", 3e2): "column 1: the condition has 314 bytes, at most 256 are read",
	} {
		t.Run(text, func(t *testing.T) {
			g := NewWithT(t)
			_, err := check.ParseRule(text)
			g.Expect(err).To(MatchError(want))
			var at *check.RuleError
			g.Expect(errors.As(err, &at)).To(BeTrue())
		})
	}
}

func TestRuleIsResolvedForTheHost(t *testing.T) {
	for text, want := range map[string]float64{
		"pool.ready == 8":                       8,
		"slot.recovery.p99 <= 250ms":            0.25,
		"slot.recovery.p99 <= 250ms/core":       0.125,
		"tasks.throughput >= 50/s/core":         100,
		"slot.recovery.max <= 3x floor.respawn": 0.018,
	} {
		g := NewWithT(t)
		r, err := check.ParseRule(text)
		g.Expect(err).NotTo(HaveOccurred())
		h, err := r.Resolve(map[string]float64{"respawn": 0.006}, 2)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(h.Limit).To(BeNumerically("~", want, 1e-12), text)
		g.Expect(h.Text).To(Equal(text))
	}
	g := NewWithT(t)
	r, err := check.ParseRule("slot.recovery.max <= 3x floor.respawn")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = r.Resolve(nil, 2)
	g.Expect(err).To(MatchError(
		"slot.recovery.max <= 3x floor.respawn: floor.respawn is not known for this run: give the limit as a time"))
}

func TestOnlyLiveMetricsFitSteadyAndAbort(t *testing.T) {
	g := NewWithT(t)
	r, err := check.ParseRule("tasks.duplicated < 1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Fits("expect")).To(Succeed())
	g.Expect(r.Fits("abort")).To(MatchError(ContainSubstring("tasks.duplicated is known only at the end")))
}

// A rule on a promised metric takes the promise's place: it must ask for all of it, or say that it does not.
func TestARuleThatAsksForLessThanAPromiseSaysSo(t *testing.T) {
	limits := []string{
		"== 0", "<= 0", "< 1", "== 0/core", "!= 0", "!= 3", "< 2", "<= 3", "== 3", "> 0", ">= 2",
		"<= 3/core", "<= pids.turnover",
	}
	for _, metric := range check.Promises() {
		m, _ := check.Lookup(metric)
		for i, limit := range limits {
			for _, during := range []string{"", " for 200ms"} {
				if during != "" && !m.Live {
					continue
				}
				text := metric + " " + limit + during
				g := NewWithT(t)
				asks, err := check.ParseRule(text)
				g.Expect(err).NotTo(HaveOccurred())
				allows, err := check.ParseRule("allow " + text)
				g.Expect(err).NotTo(HaveOccurred())
				if i < 4 && during == "" {
					g.Expect(asks.Fits("expect")).To(Succeed(), text)
					g.Expect(allows.Fits("expect")).
						To(MatchError(ContainSubstring("allows nothing that is not required anyway")), text)
				} else {
					g.Expect(asks.Fits("expect")).
						To(MatchError(ContainSubstring("this asks for less: write allow "+text)), text)
					g.Expect(allows.Fits("expect")).To(Succeed(), text)
				}
			}
		}
	}
}

// rules draws any rule that can be written.
func rules() *rapid.Generator[check.Rule] {
	return rapid.Custom(func(t *rapid.T) check.Rule {
		m := rapid.SampledFrom(check.Metrics()).Draw(t, "metric")
		r := check.Rule{Metric: m.Name, Op: rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "op")}
		n := float64(rapid.Int64Range(1, 1<<40).Draw(t, "n"))
		switch m.Unit {
		case check.Seconds:
			n /= 1e9
		case check.Ratio:
			n = float64(int64(n)%10000) / 100 / 100
		}
		r.Limit.Number = n
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			r.Limit.PerCore = true
		case 1:
			if m.Unit == check.Seconds {
				floor := rapid.SampledFrom(check.Floors()).Draw(t, "floor")
				r.Limit = check.Limit{Number: float64(rapid.IntRange(1, 4000).Draw(t, "factor")) / 4, Floor: floor.Name}
			}
		case 2:
			o := rapid.SampledFrom(check.Metrics()).Draw(t, "other")
			if o.Unit == m.Unit && o.Name != m.Name {
				r.Limit = check.Limit{Metric: o.Name}
			}
		}
		if m.Live {
			r.For = time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "for"))
		}
		return r
	})
}

func TestAnyRuleSurvivesBeingWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rules().Draw(t, "rule")
		if r.Nonsense() != "" {
			t.Skip("it can never hold, or always does")
		}
		text := r.String()
		again, err := check.ParseRule(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again.String() != text {
			t.Fatalf("%s became %s", text, again)
		}
	})
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{
		"pool.ready == 8", "slot.recovery.p99 <= 250ms/core", "slot.recovery.max <= 3x floor.respawn for 5s",
		"pids.turnover == exits.replaced", "load.achieved >= 80%", "memory.growth <= -1.5GiB", "tasks.wall < 1h2m3.5s",
		"tasks.throughput >= 50/s/core", "pool.ready = 08", "\xff\xfe == 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := check.ParseRule(text)
		if err != nil {
			var at *check.RuleError
			if !errors.As(err, &at) || at.Column < 1 || at.Column > len(text)+1 {
				t.Fatalf("%q: %v: not a RuleError with a column in the text", text, err)
			}
			return
		}
		again, err := check.ParseRule(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q is written %q, which reads as %q, %v", text, r, again, err)
		}
	})
}
