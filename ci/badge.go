package ci

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/respawn-go/respawn/reports"
)

// noRuns is what a badge says where nothing was run.
const noRuns = "no runs"

// verdict is what the decision comes to in a word. Red: the gravest verdict, FAIL where a scenario is red for something
// else. Green: PASS, or what the policy allowed where nothing passed. noRuns where there is none.
func (d Decision) verdict() string {
	var list []reports.Verdict
	ran := false
	for _, r := range d.Rows {
		ran = ran || r.verdict != ""
		if r.Green == d.Green {
			list = append(list, cmp.Or(r.verdict, reports.Fail))
		}
	}
	switch {
	case !ran:
		return noRuns
	case d.Green && slices.Contains(list, reports.Pass):
		return string(reports.Pass)
	}
	return string(reports.Worst(list...))
}

// slowest is the scenario whose slot recovery grew most since the baseline, of those that could be judged; nil without
// one.
func (d Decision) slowest() (worst *Row) {
	for i, r := range d.Rows {
		if r.Change != nil && r.Change.Judged && (worst == nil || r.Change.Ratio > worst.Change.Ratio) {
			worst = &d.Rows[i]
		}
	}
	return worst
}

// Badge writes the decision as a small SVG picture that needs nothing beside itself: the verdict as a word, and where a
// baseline could be compared with, how the slot recovery of the scenario that is slowest against it changed. Its title
// says it in a sentence.
func (d Decision) Badge(w io.Writer) error {
	word := d.verdict()
	green, text := 0, word
	for _, r := range d.Rows {
		if r.Green {
			green++
		}
	}
	title := fmt.Sprintf("respawn gate: %s; %d of %d scenarios green", word, green, len(d.Rows))
	if r := d.slowest(); r != nil {
		text += fmt.Sprintf(" · recovery %.2f×", r.Change.Ratio)
		title += fmt.Sprintf("; slot recovery of %s is %.2f× the baseline's", clean(r.Scenario), r.Change.Ratio)
	}
	colour, known := map[string]string{
		"PASS": "#1a7f37", "FAIL": "#cf222e", "ERROR": "#cf222e", "INCONCLUSIVE": "#9a6700", "ABORTED": "#9a6700",
	}[word]
	if !known {
		colour = "#57606a"
	}
	const height, letter, pad = 20, 7, 14
	left := letter*len("respawn") + pad
	right := letter*utf8.RuneCountInString(text) + pad
	var b strings.Builder
	title = html.EscapeString(strings.ToValidUTF8(title, "�"))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="t"><title id="t">%s</title>`,
		left+right, height, title)
	fmt.Fprintf(&b, `<path fill="#32383f" d="M3 0H%[1]dV%[2]dH3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>`, left, height)
	fmt.Fprintf(&b, `<path fill="%s" d="M%d 0h%da3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-%[3]dz"/>`, colour, left, right-3)
	b.WriteString(`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">`)
	fmt.Fprintf(&b, `<text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">respawn</text>`,
		pad/2, left-pad)
	fmt.Fprintf(&b, `<text x="%d" y="14" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text></g></svg>`+"\n",
		left+pad/2, right-pad, text)
	_, err := io.WriteString(w, b.String())
	return err
}
