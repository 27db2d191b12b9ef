package ci_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

// badgeOf is the title and the words of a decision's badge, which is well-formed XML and asks for nothing.
func badgeOf(g *WithT, d ci.Decision) (title string, words []string, svg string) {
	var out bytes.Buffer
	g.Expect(d.Badge(&out)).To(Succeed())
	svg = out.String()
	in, within := xml.NewDecoder(&out), ""
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return title, words, svg
		}
		g.Expect(err).NotTo(HaveOccurred())
		switch x := token.(type) {
		case xml.StartElement:
			within = x.Name.Local
			g.Expect(within).To(BeElementOf("svg", "title", "path", "g", "text"))
		case xml.EndElement:
			within = ""
		case xml.CharData:
			switch within {
			case "title":
				title += string(x)
			case "text":
				words = append(words, string(x))
			}
		}
	}
}

func TestTheBadgeSaysWhatTheDecisionComesTo(t *testing.T) {
	skipped := &reports.Report{
		Facts:  reports.Facts{Scenario: "s", Started: now, Skipped: "no cgroup"},
		Result: check.Result{Verdict: reports.Inconclusive},
	}
	old := run("a", reports.Inconclusive, 2)
	old.Started = now.Add(-48 * time.Hour)
	allowed := map[string][]reports.Verdict{"a": {reports.Inconclusive}}
	for name, c := range map[string]struct {
		runs   []*reports.Report
		policy ci.Policy
		want   string
	}{
		"passed": {[]*reports.Report{run("a", reports.Pass, 2)}, ci.Policy{}, "PASS"},
		"one failed": {
			[]*reports.Report{run("a", reports.Fail, 2), run("b", reports.Inconclusive, 2), run("c", reports.Pass, 2)},
			ci.Policy{},
			"FAIL",
		},
		"inconclusive": {
			[]*reports.Report{run("a", reports.Inconclusive, 2), run("b", reports.Pass, 2)},
			ci.Policy{},
			"INCONCLUSIVE",
		},
		"aborted": {[]*reports.Report{run("a", reports.Aborted, 2)}, ci.Policy{}, "ABORTED"},
		"broke":   {[]*reports.Report{run("a", reports.Error, 2), run("b", reports.Fail, 2)}, ci.Policy{}, "ERROR"},
		"allowed beside a pass": {
			[]*reports.Report{run("a", reports.Inconclusive, 2), run("b", reports.Pass, 2)},
			ci.Policy{Allow: allowed},
			"PASS",
		},
		"allowed, and nothing passed": {
			[]*reports.Report{run("a", reports.Inconclusive, 2)},
			ci.Policy{Allow: allowed},
			"INCONCLUSIVE",
		},
		"allowed, and of long ago":     {[]*reports.Report{old}, ci.Policy{Allow: allowed}, "FAIL"},
		"skipped":                      {[]*reports.Report{skipped}, ci.Policy{}, "INCONCLUSIVE"},
		"all skipped, and that may be": {[]*reports.Report{skipped}, ci.Policy{AllowSkips: true}, "INCONCLUSIVE"},
		"one is missing": {
			[]*reports.Report{run("a", reports.Pass, 2)},
			ci.Policy{Scenarios: []string{"b"}},
			"FAIL",
		},
		"all are missing": {nil, ci.Policy{Scenarios: []string{"b"}}, "no runs"},
		"nothing at all":  {nil, ci.Policy{}, "no runs"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			title, words, _ := badgeOf(g, decide(c.runs, nil, c.policy))
			g.Expect(words).To(Equal([]string{"respawn", c.want}))
			g.Expect(title).To(HavePrefix("respawn gate: " + c.want + "; "))
		})
	}
}

// What could not be read is red whatever the other runs of the scenario were.
func TestTheBadgeIsFAILForWhatCannotBeRead(t *testing.T) {
	g := NewWithT(t)
	_, words, _ := badgeOf(g,
		ci.Decide(now, nil, nil, ci.Policy{}, &reports.UnreadError{Scenario: "a", Err: errors.New("cut short")}))
	g.Expect(words).To(Equal([]string{"respawn", "FAIL"}))
}

func TestTheBadgeSaysHowRecoveryChanged(t *testing.T) {
	g := NewWithT(t)
	many := func(name string, recovery float64) (list []*reports.Report) {
		for range 6 {
			list = append(list, run(name, reports.Pass, recovery))
		}
		return list
	}
	hostile := `a<script>&"` + "\n"
	title, words, svg := badgeOf(g,
		decide(append(many(hostile, 6), many("b", 2)...), append(many(hostile, 2), many("b", 2)...), ci.Policy{}))
	g.Expect(words).To(Equal([]string{"respawn", "FAIL · recovery 3.00×"}), "a slowdown, though each run passed")
	g.Expect(title).
		To(Equal(`respawn gate: FAIL; 1 of 2 scenarios green; slot recovery of a<script>&"  is 3.00× the baseline's`))
	g.Expect(svg).NotTo(ContainSubstring("<script"))
	_, words, _ = badgeOf(g, decide(many("b", 1)[:2], many("b", 2)[:2], ci.Policy{}))
	g.Expect(words).To(Equal([]string{"respawn", "PASS"}), "too few runs to compare")
}
