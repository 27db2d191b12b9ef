// Package units has the scalars of files that people write: each with its unit, so that nobody has to guess what a
// number means.
package units

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The scalar types. A bare number where a unit belongs is an error. The zero value means "not set".
type (
	// Duration is a time.ParseDuration text: 250ms, 1m30s.
	Duration time.Duration
	// Bytes is a whole number with B, KiB, MiB or GiB.
	Bytes int64
	// Rate is so many per second, minute or hour: 500/s. The value is per second.
	Rate float64
	// Percent is 0% to 100%. The value is 0 to 1.
	Percent float64
	// Count is a whole number from 0, without a unit. A zero in front is an error, since YAML would read it as octal.
	Count int
	// Range is one whole number, or two with dots between them, from 1: 4, 2..8. The value is the fewest and the most.
	Range [2]int
)

// Scalar is a value that is written as one word. Parse leaves it alone when the text is wrong, and says what would be
// right.
type Scalar interface {
	Parse(text string) error
	String() string
}

var (
	_ Scalar = (*Duration)(nil)
	_ Scalar = (*Bytes)(nil)
	_ Scalar = (*Rate)(nil)
	_ Scalar = (*Percent)(nil)
	_ Scalar = (*Count)(nil)
	_ Scalar = (*Range)(nil)
)

// Std is the duration for the standard library.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Parse implements Scalar.
func (d *Duration) Parse(text string) error {
	if IsNumber(text) && text != "0" {
		return fmt.Errorf("%s needs a unit: %sms or %ss?", text, text, text)
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: want a number with ns, us, ms, s, m or h, such as 250ms", text)
	}
	*d = Duration(v)
	return nil
}

// String is the shortest text that parses to d: 1m30s, not 1m30.0s; 2m, not 2m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsNumber tells of digits, with a fraction or without. Package regexp would make every worker that links this start
// later.
func IsNumber(text string) bool {
	whole, fraction, cut := strings.Cut(text, ".")
	return isDigits(whole) && (!cut || isDigits(fraction))
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

var byteUnits = []struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// Parse implements Scalar.
func (b *Bytes) Parse(text string) error {
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil || v < 0 || v > (1<<62)/u.size {
				break
			}
			*b = Bytes(v * u.size)
			return nil
		}
	}
	if IsNumber(text) {
		return fmt.Errorf("%s needs a unit: %sMiB?", text, text)
	}
	return fmt.Errorf("%q is not a size: want a whole number with B, KiB, MiB or GiB, such as 64MiB", text)
}

func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.name
		}
	}
	return "0B"
}

var perSecond = map[string]float64{"s": 1, "m": 60, "h": 3600}

// Parse implements Scalar.
func (r *Rate) Parse(text string) error {
	n, unit, ok := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	per := perSecond[strings.TrimSpace(unit)]
	if !ok || err != nil || !IsNumber(strings.TrimSpace(n)) || per == 0 {
		return fmt.Errorf("%q is not a rate: want so many per s, m or h, such as 500/s", text)
	}
	*r = Rate(v / per)
	return nil
}

func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// Parse implements Scalar.
func (p *Percent) Parse(text string) error {
	n, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	if within := v >= 0 && v <= 100; !ok || err != nil || !within {
		return fmt.Errorf("%q is not a percentage: want 0%% to 100%%, such as 20%%", text)
	}
	*p = Percent(v / 100)
	return nil
}

func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)*100, 'g', 12, 64) + "%"
}

// LeadingZero tells of a number with a zero in front, which YAML would read as octal.
func LeadingZero(text string) bool {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	return len(text) > 1 && text[0] == '0' && isDigits(text[1:2])
}

// Parse implements Scalar.
func (c *Count) Parse(text string) error {
	if LeadingZero(text) {
		return fmt.Errorf("%s has a zero in front: write %s", text, strings.TrimLeft(text, "+-0"))
	}
	v, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) && v > 0 {
		return fmt.Errorf("%s is too large: want at most %d", text, math.MaxInt)
	}
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a whole number from 0", text)
	}
	*c = Count(v)
	return nil
}

func (c Count) String() string { return strconv.Itoa(int(c)) }

// Parse implements Scalar.
func (r *Range) Parse(text string) error {
	from, to, two := strings.Cut(text, "..")
	if !two {
		to = from
	}
	var least, most Count
	if err := errors.Join(least.Parse(from), most.Parse(to)); err != nil {
		return fmt.Errorf("%q is neither a number nor two: want for example 4, or 2..8", text)
	}
	switch {
	case least == 0 && two:
		return fmt.Errorf("%s begins with 0: want at least 1", text)
	case least > most:
		return fmt.Errorf("%s begins with the larger number: want %d..%d", text, most, least)
	}
	*r = Range{int(least), int(most)}
	return nil
}

// Exactly is the range of one number.
func Exactly(n int) Range { return Range{n, n} }

// Least is the smaller bound; 0 if the range is not set.
func (r Range) Least() int { return r[0] }

// Most is the larger bound.
func (r Range) Most() int { return r[1] }

// Open tells whether it is more than one number.
func (r Range) Open() bool { return r[0] < r[1] }

// Has tells whether n is within the bounds.
func (r Range) Has(n int) bool { return r[0] <= n && n <= r[1] }

func (r Range) String() string {
	if r.Open() {
		return fmt.Sprintf("%d..%d", r[0], r[1])
	}
	return strconv.Itoa(r[0])
}
