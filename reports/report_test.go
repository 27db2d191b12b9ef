package reports_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// hostile is what a worker might write: a script, a NUL, a terminal's escape, a CI command on a line of its own.
const hostile = "<script>alert(1)</script>\x00\x1b[31m\n::error::injected | ]]> `x`"

func events(list ...history.Event) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func build(h history.Header, list iter.Seq2[history.Event, error], result check.Result) *reports.Report {
	l, line := ledger.New(h), 1
	for e := range list {
		line++
		l.Add(line, &e)
	}
	l.Finish()
	return reports.Of(l, result)
}

// sample is the report of a run with one kill and one exit that nobody caused.
func sample(t *testing.T) *reports.Report {
	t.Helper()
	return build(
		history.Header{Scenario: "kill", Seed: 7, Command: "respawn run kill --seed 7", Started: time.Unix(0, 0)},
		events(
			history.Event{T: 1e9, Fault: &history.Fault{
				N: 1, Op: history.Planned, Fault: "signal KILL", Victim: &history.Victim{PID: 11, Slot: 2}, Due: 1e9,
			}},
			history.Event{T: 11e8, Member: &history.MemberEvent{
				Op: history.Exited, PID: 11, Slot: 2, Exit: &history.Exit{Code: -1, Signal: "SIGKILL"},
			}},
			history.Event{T: 12e8, Fault: &history.Fault{
				N: 1, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true,
				Receipt: &history.Receipt{Tier: "wait status", At: 105e7},
			}},
			history.Event{T: 2e9, Member: &history.MemberEvent{
				Op: history.Exited, PID: 12, Slot: 1, Exit: &history.Exit{Code: 3, Stderr: hostile},
			}},
		),
		check.Result{
			Verdict: check.Fail, Cause: hostile,
			Metrics:  map[string]float64{"faults.planned": 1, "faults.confirmed": 1},
			Findings: []check.Finding{{Verdict: check.Fail, Text: hostile, Event: 5}},
			Thresholds: []check.Threshold{
				{Group: "expect", Text: "tasks.lost == 0", Metric: "tasks.lost", Actual: 2, Samples: 9},
			},
		},
	)
}

func TestReportTiesExitsToTheInjectionsThatCausedThem(t *testing.T) {
	g := NewWithT(t)
	r := sample(t)
	g.Expect(r.Faults).To(HaveLen(1))
	g.Expect(r.Faults[0].AtS).To(Equal(1.05))
	g.Expect(r.Exits[0].Fault).To(Equal(1))
	g.Expect(r.Exits[1].Fault).To(Equal(0))
	g.Expect(r.DurationS).To(Equal(2.0))
}

func TestReportSurvivesItsFile(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	data, err := json.Marshal(sample(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.MkdirAll(filepath.Join(dir, "kill"), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, "kill", "report.json"), data, 0o644)).To(Succeed())
	list, err := reports.LoadAll(dir)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list[0].Verdict).To(Equal(check.Fail))
	g.Expect(list[0].Exits[0].Signal).To(Equal("SIGKILL"))

	_, err = reports.LoadAll(t.TempDir())
	g.Expect(err).To(MatchError(ContainSubstring("no reports in")))
	g.Expect(os.WriteFile(filepath.Join(dir, "kill", "report.json"), []byte(`{"schema_version": 99}`), 0o644)).
		To(Succeed())
	_, err = reports.LoadAll(dir)
	g.Expect(err).To(MatchError(ContainSubstring("schema version 99")))
}

// A program may go over the lists of any report: one of a run that never began has them too.
func TestTheListsOfAnEmptyReportAreLists(t *testing.T) {
	g := NewWithT(t)
	data, err := json.Marshal(&reports.Report{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(data)).To(And(ContainSubstring(`"thresholds":[]`), ContainSubstring(`"findings":[]`),
		ContainSubstring(`"faults":[]`), ContainSubstring(`"exits":[]`)))
}

func TestJUnitFailsWithTheVerdictAndIsValidWithHostileText(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	g.Expect(sample(t).JUnit(&out, "kill")).To(Succeed())
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name string `xml:"name,attr"`
		} `xml:"testcase"`
	}
	g.Expect(xml.Unmarshal(out.Bytes(), &suite)).To(Succeed())
	g.Expect(suite.Tests).To(Equal(2))
	g.Expect(suite.Failures).To(Equal(2))
	g.Expect(out.String()).NotTo(ContainSubstring("<script>"))
	g.Expect(out.String()).NotTo(MatchRegexp(`(?m)^::`))
	g.Expect(out.String()).NotTo(ContainSubstring("\x1b"))
}

// cases are the classes and names of the test cases of a JUnit file, each with the message of its failure.
func cases(g *WithT, r *reports.Report, run string) (classes []string, failures map[string]string) {
	var out bytes.Buffer
	g.Expect(r.JUnit(&out, run)).To(Succeed())
	var suite struct {
		Cases []struct {
			Class   string `xml:"classname,attr"`
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
		} `xml:"testcase"`
	}
	g.Expect(xml.Unmarshal(out.Bytes(), &suite)).To(Succeed())
	failures = map[string]string{}
	for _, c := range suite.Cases {
		classes = append(classes, c.Class+": "+c.Name)
		if c.Failure != nil {
			failures[c.Name] = c.Failure.Message
		}
	}
	return classes, failures
}

// GitLab shows one case of those that share class and name, over all files of a job.
func TestEachJUnitCaseIsItsOwnInAFileAndOverTheRunsOfAScenario(t *testing.T) {
	g := NewWithT(t)
	rule := func(group, when, text string) check.Threshold {
		return check.Threshold{Group: group, When: when, Text: text, Metric: "tasks.lost", OK: true, Samples: 1}
	}
	r := build(history.Header{Scenario: "kill"}, events(),
		check.Result{Verdict: check.Pass, Thresholds: []check.Threshold{
			rule("steady", "before", "pool.ready == 8"), rule("steady", "after", "pool.ready == 8"),
			rule("require", "", "faults.confirmed >= 4"), rule("require", "", "faults.confirmed >= 4"),
			rule("expect", "", "faults.confirmed >= 4"),
		}})
	var all []string
	for _, run := range []string{"kill", "kill.2", "kill.3"} {
		classes, _ := cases(g, r, run)
		all = append(all, classes...)
	}
	r.Target = history.Target{Kind: "driver", Name: "multiprocessing.Pool"}
	elsewhere, _ := cases(g, r, "kill")
	all = append(all, elsewhere...)
	g.Expect(all).To(HaveLen(4 * 6))
	slices.Sort(all)
	g.Expect(slices.Compact(all)).To(HaveLen(4 * 6))
	g.Expect(all).To(ContainElements("respawn.kill: verdict", "respawn.kill_2: require: faults.confirmed >= 4 (2)",
		"respawn.multiprocessing_Pool.kill: steady, after: pool.ready == 8"))
}

// A failure says what was, what should have been, and of how much.
func TestAJUnitFailureHasTheFigureItsLimitAndTheSamples(t *testing.T) {
	g := NewWithT(t)
	r := build(history.Header{Scenario: "kill"}, events(),
		check.Result{Verdict: check.Fail, Thresholds: []check.Threshold{
			{
				Group: "expect", Text: "slot.recovery.max <= 300x floor.respawn", Metric: "slot.recovery.max", Op: "<=",
				Limit: 0.06, Actual: 0.069194965, Samples: 3,
			},
		}})
	_, failures := cases(g, r, "kill")
	g.Expect(failures).To(HaveKeyWithValue("expect: slot.recovery.max <= 300x floor.respawn",
		"slot.recovery.max is 69.2ms, not <= 60ms, of 3 samples"))
}

// The run's time is told once, so that whoever adds up cases has it, and no case claims to have taken none.
func TestAJUnitFileTellsTheRunsTimeOnce(t *testing.T) {
	g := NewWithT(t)
	r := sample(t)
	var out bytes.Buffer
	g.Expect(r.JUnit(&out, "kill")).To(Succeed())
	var suite struct {
		Time  string `xml:"time,attr"`
		Cases []struct {
			Time *string `xml:"time,attr"`
		} `xml:"testcase"`
	}
	g.Expect(xml.Unmarshal(out.Bytes(), &suite)).To(Succeed())
	g.Expect(suite.Time).To(Equal("2.000"))
	g.Expect(suite.Cases).To(HaveLen(2))
	g.Expect(suite.Cases[0].Time).To(HaveValue(Equal("2.000")), "the verdict's")
	g.Expect(suite.Cases[1].Time).To(BeNil(), "a threshold takes no time of its own")
}

// junitShape is what the Jenkins schema allows: the attributes and children of each element, those in capitals
// required.
var junitShape = map[string]string{
	"testsuite": "NAME TESTS FAILURES ERRORS skipped time timestamp properties testcase", "properties": "property",
	"property": "NAME VALUE", "testcase": "NAME CLASSNAME time failure error skipped", "failure": "message type",
	"error": "message type", "skipped": "message",
}

func TestJUnitHasTheShapeThatJenkinsReads(t *testing.T) {
	for _, r := range []*reports.Report{
		sample(t), judged(storm.Storm{Tasks: 500, Kills: 5, Broken: true, Text: hostile}),
		{Facts: reports.Facts{Skipped: "no cgroup"}},
	} {
		g := NewWithT(t)
		var out bytes.Buffer
		g.Expect(r.JUnit(&out, "kill")).To(Succeed())
		open := []string{"testsuites"}
		for d := xml.NewDecoder(&out); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			g.Expect(err).NotTo(HaveOccurred())
			switch e := token.(type) {
			case xml.StartElement:
				if parent, ok := junitShape[open[len(open)-1]]; ok {
					g.Expect(strings.Fields(parent)).To(ContainElement(e.Name.Local))
				}
				open = append(open, e.Name.Local)
				has := map[string]bool{}
				for _, a := range e.Attr {
					has[a.Name.Local] = true
					g.Expect(strings.Fields(strings.ToLower(junitShape[e.Name.Local]))).To(ContainElement(a.Name.Local))
				}
				for _, want := range strings.Fields(junitShape[e.Name.Local]) {
					g.Expect(want == strings.ToLower(want) || has[strings.ToLower(want)]).To(BeTrue(), "%s without %s",
						e.Name.Local, want)
				}
			case xml.EndElement:
				open = open[:len(open)-1]
			}
		}
	}
}

// The summary's numbers are those of the page: for people, with the limit as it was on that host, and with the side of
// the faults that a steady condition was looked at.
func TestMarkdownsNumbersAreForPeople(t *testing.T) {
	g := NewWithT(t)
	r := build(history.Header{Scenario: "a"}, events(), check.Result{Verdict: check.Fail, Thresholds: []check.Threshold{
		{
			Group: "steady", When: "before", Text: "tasks.throughput >= 50/s", Metric: "tasks.throughput", Limit: 50,
			Actual: 1447.4077021170076, Samples: 9, OK: true,
		},
		{
			Group: "expect", Text: "slot.recovery.max <= 300x floor.respawn", Metric: "slot.recovery.max", Limit: 0.06,
			Actual: 0.069194965, Samples: 3,
		},
	}})
	var out bytes.Buffer
	g.Expect(r.Markdown(&out, nil)).To(Succeed())
	g.Expect(out.String()).
		To(ContainSubstring("| ✗ no | expect: slot.recovery.max &lt;= 300x floor.respawn | 69.2ms | 60ms | 3 |\n"))
	g.Expect(out.String()).
		To(ContainSubstring("| ✓ yes | steady, before: tasks.throughput &gt;= 50/s | 1,447/s | 50.0/s | 9 |\n"))
	out.Reset()
	g.Expect(build(history.Header{Scenario: "a"}, events(), check.Result{Verdict: check.Aborted}).Markdown(&out, nil)).
		To(Succeed())
	g.Expect(out.String()).NotTo(ContainSubstring("| held |"))
}

func TestMarkdownKeepsHostileTextInItsPlace(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	g.Expect(sample(t).Markdown(&out, nil)).To(Succeed())
	g.Expect(out.String()).To(HavePrefix("### FAIL: kill\n"))
	g.Expect(out.String()).NotTo(ContainSubstring("<script>"))
	g.Expect(out.String()).NotTo(MatchRegexp(`(?m)^::`))
	g.Expect(out.String()).To(ContainSubstring("1 injection: 1 confirmed."))
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "| ✗") {
			g.Expect(strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")).To(Equal(6))
		}
	}
}

// What was broken is not among the promises that are said to be kept, nor hidden by how many are.
func TestPromisesThatWereKeptAreToldBesideThoseThatWereNot(t *testing.T) {
	g := NewWithT(t)
	promise := func(metric string, ok bool) check.Threshold {
		return check.Threshold{
			Group: "promise", Text: metric + " == 0", Metric: metric, OK: ok, Samples: 400, Of: "tasks",
		}
	}
	r := &reports.Report{
		Facts: reports.Facts{Scenario: "s"},
		Result: check.Result{Verdict: check.Fail, Thresholds: []check.Threshold{
			promise("tasks.lost", true), promise("tasks.wrong", true), promise("tasks.failed", false),
		}},
	}
	var page, summary strings.Builder
	g.Expect(r.HTML(&page, nil)).To(Succeed())
	g.Expect(r.Markdown(&summary, nil)).To(Succeed())
	g.Expect(page.String()).To(ContainSubstring("2 of 3 promises that every scenario makes were kept"))
	g.Expect(page.String()).To(ContainSubstring("<td>400 tasks</td>"))
	g.Expect(summary.String()).To(ContainSubstring("| ✓ yes | 2 of the 3 promises that every scenario makes |"))
	g.Expect(summary.String()).To(ContainSubstring("| 400 tasks |"))
}
