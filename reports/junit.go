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

// The JUnit elements that CI systems agree on (the Jenkins schema): a run is a test suite, each threshold a test case,
// and the verdict one more, so that a run without thresholds has one too. GitLab takes cases of one class and name for
// one case wherever they stand in a job's files, and shows the last: each run is a class of its own, and each of its
// cases has a name of its own.
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
		Time    string     `xml:"time,attr,omitempty"`
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

// JUnit writes the report as JUnit XML. run is what tells the run from others of its scenario, such as NAME.2: the name
// of its directory. Only PASS has no failing case: FAIL and INCONCLUSIVE are failures, ERROR and ABORTED errors, and a
// scenario that the host could not run is skipped. The run's time is that of the verdict's case; the others have none
// of their own.
func (r *Report) JUnit(w io.Writer, run string) error {
	s := junitSuite{
		Name: plain(run), Time: junitSeconds(r.DurationS), Timestamp: r.Started.UTC().Format(junitTime),
		Props: []junitProp{{"seed", fmt.Sprint(r.Seed)}, {"command", plain(r.Command)}},
	}
	if r.Test != "" {
		s.Props = append(s.Props, junitProp{"test", plain(r.Test)})
	}
	class := r.junitClass(run)
	verdict := junitCase{Name: "verdict", Class: class, Time: s.Time}
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
		c := junitCase{Name: plain(group(t) + ": " + t.Text), Class: class}
		switch {
		case t.NotJudged:
			c.Skipped = &junitText{Message: "the run was cut short before this could be judged"}
		case t.Starved:
			c.Skipped = &junitText{Message: "the host was starved: this blames nobody"}
		case t.NoData:
			c.Failure = &junitText{Message: "no data"}
		case !t.OK:
			c.Failure = &junitText{Message: plain(fmt.Sprintf("%s is %s, not %s %s, of %s",
				t.Metric, value(t.Metric, t.Actual), t.Op, value(t.Metric, t.Limit), population(t)))}
		}
		s.Cases = append(s.Cases, c)
	}
	return s.write(w)
}

// junitClass is the class of the run's cases. Jenkins takes what stands before the last dot for a package, so that the
// number of a run has another sign in front, one that no scenario's name has. Pools written elsewhere run the scenarios
// of our own.
func (r *Report) junitClass(run string) string {
	class := "respawn."
	if t := r.Target; t.Name != "" && t.Kind != "pool" {
		class += junitWord.Replace(plain(t.Name)) + "."
	}
	return class + junitWord.Replace(plain(run))
}

var junitWord = strings.NewReplacer(".", "_", " ", "_", "\n", "_", "/", "_")

func junitSeconds(s float64) string { return fmt.Sprintf("%.3f", s) }

// JUnitCase is a case of a JUnit file that is not about one run. At most one of Failure, Error and Skipped is set: why.
type JUnitCase struct {
	Name, Failure, Error, Skipped string
	Seconds                       float64
}

// WriteJUnit writes a suite of cases.
func WriteJUnit(w io.Writer, suite string, cases []JUnitCase) error {
	s := junitSuite{Name: plain(suite), Timestamp: time.Now().UTC().Format(junitTime)}
	text := func(why string) *junitText {
		if why == "" {
			return nil
		}
		return &junitText{Message: plain(why)}
	}
	total := 0.0
	for _, c := range cases {
		total += c.Seconds
		s.Cases = append(s.Cases, junitCase{
			Name: plain(c.Name), Class: s.Name, Time: junitSeconds(c.Seconds), Failure: text(c.Failure),
			Error: text(c.Error), Skipped: text(c.Skipped),
		})
	}
	s.Time = junitSeconds(total)
	return s.write(w)
}

// write counts the cases, numbers those of one name, and writes the file.
func (s *junitSuite) write(w io.Writer) error {
	taken := map[string]bool{}
	for i := range s.Cases {
		c := &s.Cases[i]
		name := c.Name
		for n := 2; taken[c.Name]; n++ {
			c.Name = fmt.Sprintf("%s (%d)", name, n)
		}
		taken[c.Name] = true
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

// plain keeps text free of what XML, terminals and CI logs could take for their own: control characters become spaces,
// but for line ends, and a line never starts with "::", which GitHub Actions would obey.
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

// population is what a failure's figure comes from.
func population(t check.Threshold) string {
	if t.Of == "" {
		return plural(t.Samples, "sample")
	}
	return samples(t)
}
