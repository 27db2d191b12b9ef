package reports

import (
	"math"
	"strconv"
)

// seconds writes a time for people: three digits, the unit that fits.
func seconds(s float64) string {
	switch a := math.Abs(s); {
	case math.IsInf(s, 0) || math.IsNaN(s):
		return "never"
	case a == 0:
		return "0 s"
	case a < 1e-3:
		return three(s*1e6) + " µs"
	case a < 1:
		return three(s*1e3) + " ms"
	case a < 120:
		return three(s) + " s"
	}
	return three(s/60) + " min"
}

// size writes bytes for people.
func size(b float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if math.Abs(b) >= u.size {
			return three(b/u.size) + " " + u.name
		}
	}
	return three(b) + " B"
}

// three is a number in three significant digits, without exponent.
func three(v float64) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits < 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', min(digits, 6), 64)
}

// whole is a count.
func whole(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
