package check

import (
	"math"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/units"
)

// isBare tells of a number that has no unit.
func isBare(word string) bool { return units.IsNumber(strings.TrimPrefix(word, "-")) }

// value reads a number with the unit of the metric and returns it in the base unit.
func (p *ruleParser) value(word string, at int) (v float64, err error) {
	if isBare(word) && p.m.Unit != Count {
		return 0, p.fail(at, "%s needs a unit, for %s is %s: want %s", word, p.m.Name, p.m.Unit.noun(),
			withUnit(p.m.Unit, word))
	}
	switch p.m.Unit {
	case Seconds:
		v, err = p.seconds(word, at)
	case Bytes:
		v, err = p.bytes(word, at)
	case PerSecond:
		v, err = p.perSecond(word, at)
	case Ratio:
		n, ok := strings.CutSuffix(word, "%")
		if !ok {
			return 0, p.notA(word, at)
		}
		v, err = p.number(n, word, at)
		v /= 100
	default:
		v, err = p.count(word, at)
	}
	return v, err
}

func (p *ruleParser) notA(word string, at int) error {
	return p.fail(at, "%s is %s: want %s, not %q", p.m.Name, p.m.Unit.noun(), example(p.m), word)
}

func (p *ruleParser) count(word string, at int) (float64, error) {
	if !isBare(word) {
		return 0, p.notA(word, at)
	}
	v, err := p.number(word, word, at)
	if err == nil && v != math.Trunc(v) && !p.m.fractional() {
		return 0, p.fail(at, "%s is a count: want a whole number, not %s", p.m.Name, word)
	}
	return v, err
}

func (p *ruleParser) seconds(word string, at int) (float64, error) {
	d, err := time.ParseDuration(word)
	switch {
	case err != nil:
		return 0, p.notA(word, at)
	case units.LeadingZero(word):
		return 0, p.fail(at, "%s has a zero in front: write %s", word, units.Duration(d))
	}
	return d.Seconds(), nil
}

func (p *ruleParser) bytes(word string, at int) (float64, error) {
	for _, u := range byteUnits {
		n, ok := strings.CutSuffix(word, u.name)
		if !ok || !isBare(n) {
			continue
		}
		v, err := p.number(n, word, at)
		if err != nil {
			return 0, err
		}
		if v *= u.size; v != math.Trunc(v) {
			return 0, p.fail(at, "%s is not a whole number of bytes", word)
		}
		return v, nil
	}
	return 0, p.notA(word, at)
}

var perUnit = map[string]float64{"s": 1, "m": 60, "h": 3600}

func (p *ruleParser) perSecond(word string, at int) (float64, error) {
	n, unit, _ := strings.Cut(word, "/")
	if perUnit[unit] == 0 || !isBare(n) {
		return 0, p.notA(word, at)
	}
	v, err := p.number(n, word, at)
	return v / perUnit[unit], err
}

// example is what a value of the metric looks like.
func example(m Metric) string {
	switch m.Unit {
	case Seconds:
		return "a number with ns, us, ms, s, m or h, such as 250ms"
	case Bytes:
		return "a number with B, KiB, MiB, GiB or TiB, such as 64MiB"
	case PerSecond:
		return "a number per s, m or h, such as 50/s"
	case Ratio:
		return "a percentage, such as 80%"
	}
	return "a number without a unit, such as 8"
}

// withUnit is the bare number as it was probably meant.
func withUnit(u Unit, n string) string {
	return map[Unit]string{Seconds: n + "ms or " + n + "s", Bytes: n + "MiB", PerSecond: n + "/s", Ratio: n + "%"}[u]
}
