package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/respawn-go/respawn/chaos/check"
)

// The JUnit elements that CI systems agree on (the Jenkins schema): a run is a test suite, each threshold a test case, and
// the verdict one more, so that a run without thresholds has one too.
type (
	junitSuite struct {
		XMLName   xml.Name    `xml:"testsuite"`
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Props     []junitProp `xml:"properties>property,omitempty"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitProp struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string     `xml:"name,attr"`
		Class   string     `xml:"classname,attr"`
		Time    string     `xml:"time,attr"`
		Failure *junitText `xml:"failure,omitempty"`
		Error   *junitText `xml:"error,omitempty"`
		Skipped *junitText `xml:"skipped,omitempty"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

const junitTime = "2006-01-02T15:04:05"

// JUnit writes the report as JUnit XML. Only PASS has no failing case: FAIL and INCONCLUSIVE are failures, ERROR and
// ABORTED errors, and a scenario that the host could not run is skipped.
func (r *Report) JUnit(w io.Writer) error {
	s := junitSuite{
		Name: r.Scenario, Time: fmt.Sprintf("%.3f", r.DurationS), Timestamp: r.Started.UTC().Format(junitTime),
		Props: []junitProp{{"seed", fmt.Sprint(r.Seed)}, {"command", plain(r.Command)}},
	}
	verdict := junitCase{Name: "verdict", Class: "respawn." + r.Scenario, Time: s.Time}
	why := &junitText{Message: plain(fmt.Sprintf("%s: %s", r.Verdict, r.Cause)), Text: plain(r.findings())}
	switch {
	case r.Skipped != "":
		verdict.Skipped = &junitText{Message: plain(r.Skipped)}
	case r.Verdict == check.Pass:
	case r.Verdict == check.Fail, r.Verdict == check.Inconclusive:
		verdict.Failure = why
	default:
		verdict.Error = why
	}
	s.Cases = append(s.Cases, verdict)
	for _, t := range r.Thresholds {
		c := junitCase{Name: plain(t.Group + ": " + t.Text), Class: "respawn." + r.Scenario, Time: "0"}
		switch {
		case t.NotJudged:
			c.Skipped = &junitText{Message: "the run was cut short before this could be judged"}
		case t.NoData:
			c.Failure = &junitText{Message: "no data"}
		case !t.OK:
			c.Failure = &junitText{Message: plain("actual " + unitOf(t.Metric).Format(t.Actual))}
		}
		s.Cases = append(s.Cases, c)
	}
	return s.write(w)
}

// JUnitCase is a case of a JUnit file that is not about one run. At most one of Failure, Error and Skipped is set: why.
type JUnitCase struct{ Name, Failure, Error, Skipped string }

// WriteJUnit writes a suite of cases.
func WriteJUnit(w io.Writer, suite string, cases []JUnitCase) error {
	s := junitSuite{Name: plain(suite), Time: "0", Timestamp: time.Now().UTC().Format(junitTime)}
	text := func(why string) *junitText {
		if why == "" {
			return nil
		}
		return &junitText{Message: plain(why)}
	}
	for _, c := range cases {
		s.Cases = append(s.Cases, junitCase{
			Name: plain(c.Name), Class: s.Name, Time: "0", Failure: text(c.Failure), Error: text(c.Error), Skipped: text(c.Skipped),
		})
	}
	return s.write(w)
}

// write counts the cases and writes the file.
func (s *junitSuite) write(w io.Writer) error {
	for _, c := range s.Cases {
		s.Tests++
		s.Failures += btoi(c.Failure != nil)
		s.Errors += btoi(c.Error != nil)
		s.Skipped += btoi(c.Skipped != nil)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// findings is a line for each reason.
func (r *Report) findings() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s", f.Verdict, f.Text)
		if f.Event > 0 {
			fmt.Fprintf(&b, " (line %d of the history)", f.Event)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// unitOf is the unit of a metric, a count for one that is not known any more.
func unitOf(metric string) check.Unit {
	if m, ok := check.Lookup(metric); ok {
		return m.Unit
	}
	return check.Count
}

// plain keeps text free of what XML, terminals and CI logs could take for their own: control characters become spaces, but
// for line ends, and a line never starts with "::", which GitHub Actions would obey.
func plain(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff) {
			return ' '
		}
		return r
	}, s)
	return strings.ReplaceAll(strings.TrimPrefix(" "+s, " "), "\n", "\n  ")
}
