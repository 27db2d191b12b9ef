package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/internal/units"
)

// RuleError says what is wrong with the text of a rule, where, and what would be right.
type RuleError struct {
	Column  int // from 1, in characters of the rule's text
	Problem string
}

func (e *RuleError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Problem) }

// maxRule is the length of a rule's text in bytes.
const maxRule = 256

var ops = []string{"==", "!=", "<", "<=", ">", ">="}

// opMeant is what people write instead.
var opMeant = map[string]string{"=": "==", "===": "==", "=<": "<=", "=>": ">=", "<>": "!=", "!": "!=", "!==": "!="}

// ParseRule reads one condition. The error is a *RuleError.
func ParseRule(text string) (Rule, error) {
	p := &ruleParser{text: text}
	if len(text) > maxRule {
		return Rule{}, p.fail(0, "the condition has %d bytes, at most %d are read", len(text), maxRule)
	}
	r, err := p.rule()
	if err != nil {
		return Rule{}, err
	}
	return r, nil
}

// ruleParser reads a rule from left to right.
type ruleParser struct {
	text string
	at   int // offset of the next byte
	m    Metric
}

func (p *ruleParser) fail(at int, format string, args ...any) error {
	return &RuleError{Column: utf8.RuneCountInString(p.text[:at]) + 1, Problem: fmt.Sprintf(format, args...)}
}

// next is the longest run of bytes from here, white space skipped, that are in (or not in) the set; and where it
// begins.
func (p *ruleParser) next(in bool, set string) (word string, at int) {
	for p.at < len(p.text) && strings.IndexByte(" \t", p.text[p.at]) >= 0 {
		p.at++
	}
	at = p.at
	for p.at < len(p.text) && (strings.IndexByte(set, p.text[p.at]) >= 0) == in {
		p.at++
	}
	return p.text[at:p.at], at
}

func (p *ruleParser) word() (string, int) { return p.next(false, " \t") }

func (p *ruleParser) rule() (r Rule, err error) {
	name, at := p.next(false, " \t=!<>")
	if name == "allow" {
		r.Allow = true
		name, at = p.next(false, " \t=!<>")
	}
	if name == "" {
		return r, p.fail(at, "a metric is missing: want for example pool.ready == 8")
	}
	m, ok := Lookup(name)
	if !ok {
		return r, p.fail(at, "unknown metric %q: %s", name, metricMeant(name))
	}
	r.Metric, p.m = name, m
	if r.Op, err = p.op(); err != nil {
		return r, err
	}
	limitAt := p.at
	if r.Limit, err = p.limit(); err != nil {
		return r, err
	}
	if why := r.Nonsense(); why != "" {
		p.at = limitAt
		_, at := p.word()
		return r, p.fail(at, "%s", why)
	}
	if r.For, err = p.duration(); err != nil {
		return r, err
	}
	if rest, at := p.word(); rest != "" {
		return r, p.fail(at, "%q is too much: the condition ends before it", rest)
	}
	return r, nil
}

func (p *ruleParser) op() (string, error) {
	op, at := p.next(true, "=!<>")
	switch {
	case slices.Contains(ops, op):
		return op, nil
	case opMeant[op] != "":
		return "", p.fail(at, "unknown comparison %q: did you mean %s?", op, opMeant[op])
	case op != "":
		return "", p.fail(at, "unknown comparison %q: want one of %s", op, strings.Join(ops, " "))
	}
	return "", p.fail(at, "a comparison is missing: want one of %s after %s", strings.Join(ops, " "), p.m.Name)
}

// isFactor tells of the number in front of a floor.
func isFactor(word string) bool {
	n, ok := strings.CutSuffix(word, "x")
	return ok && units.IsNumber(n)
}

func (p *ruleParser) limit() (l Limit, err error) {
	word, at := p.word()
	switch {
	case word == "":
		return l, p.fail(at, "a value is missing: want %s", example(p.m))
	case isFactor(word):
		return p.floor(word, at)
	case strings.HasPrefix(word, "floor."):
		return l, p.fail(at, "a multiple of a floor is written with its factor: 3x %s", word)
	case word[0] >= 'a' && word[0] <= 'z':
		return p.other(word, at)
	}
	if l.Number, err = p.value(strings.TrimSuffix(word, "/core"), at); err != nil {
		return l, err
	}
	l.PerCore = strings.HasSuffix(word, "/core")
	return l, nil
}

// floor reads the rest of "3x floor.respawn".
func (p *ruleParser) floor(word string, at int) (l Limit, err error) {
	if p.m.Unit != Seconds {
		return l, p.fail(at, "%s is %s, and floors are times: want %s", p.m.Name, p.m.Unit.noun(), example(p.m))
	}
	l.Number, err = p.number(strings.TrimSuffix(word, "x"), word, at)
	if err != nil {
		return l, err
	}
	known := []string{}
	for _, f := range Floors() {
		known = append(known, "floor."+f.Name)
	}
	name, at := p.word()
	if !slices.Contains(known, name) {
		return l, p.fail(at, "%sx of what? unknown floor %q: %s", formatNumber(l.Number), name,
			nearest.Meant(name, known))
	}
	l.Floor = strings.TrimPrefix(name, "floor.")
	return l, nil
}

// other reads a metric as the limit.
func (p *ruleParser) other(word string, at int) (l Limit, err error) {
	o, ok := Lookup(word)
	switch {
	case !ok:
		return l, p.fail(at, "unknown metric %q: %s", word, metricMeant(word))
	case o.Unit != p.m.Unit:
		return l, p.fail(at, "%s is %s and %s %s: they cannot be compared",
			p.m.Name, p.m.Unit.noun(), word, o.Unit.noun())
	case word == p.m.Name:
		return l, p.fail(at, "%s is compared with itself", word)
	}
	return Limit{Metric: word}, nil
}

// duration reads the "for" at the end.
func (p *ruleParser) duration() (time.Duration, error) {
	word, at := p.word()
	if word == "" {
		return 0, nil
	}
	if word != "for" {
		return 0, p.fail(at, "%q is too much: only \"for\" and a duration may follow the value", word)
	}
	if !p.m.Live {
		return 0, p.fail(at, "%s is known only at the end of the run: it cannot be watched for a time", p.m.Name)
	}
	word, at = p.word()
	var d units.Duration
	if err := d.Parse(word); err != nil || d == 0 {
		return 0, p.fail(at, "for %q: want a duration such as 5s", word)
	}
	return d.Std(), nil
}

// number reads digits with an optional fraction. whole is the word it is from, for the error.
func (p *ruleParser) number(digits, whole string, at int) (float64, error) {
	v, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || strings.ContainsAny(digits, "eExXpP_+nN") || math.Abs(v) > 1<<53:
		return 0, p.fail(at, "%q is not a value of %s: want %s", whole, p.m.Name, example(p.m))
	case units.LeadingZero(digits):
		return 0, p.fail(at, "%s has a zero in front: write %s", digits, strings.TrimLeft(digits, "0"))
	}
	return v + 0, nil
}
