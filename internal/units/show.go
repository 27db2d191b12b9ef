package units

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// What people read, in every sentence and table: at most three digits that matter, the unit right behind the number,
// and thousands set off by commas.

// Time shows seconds: 812ms, 1.93s, 1m30s; "never" for infinity.
func Time(seconds float64) string {
	if math.IsInf(seconds, 1) {
		return "never"
	}
	if math.IsInf(seconds, 0) || math.IsNaN(seconds) {
		return strconv.FormatFloat(seconds, 'g', -1, 64)
	}
	return Duration(math.Round(threeDigits(seconds) * float64(time.Second))).String()
}

var sizes = []struct {
	name string
	size float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// Size shows bytes: 70.1MiB, 512B.
func Size(bytes float64) string {
	for _, u := range sizes {
		if math.Abs(bytes) >= u.size {
			return strconv.FormatFloat(threeDigits(bytes/u.size), 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatFloat(bytes, 'f', -1, 64) + "B"
}

// Number shows a number: 76,355; 3.82.
func Number(v float64) string {
	if v != math.Trunc(v) {
		v = threeDigits(v)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	whole, fraction, cut := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	if !isDigits(whole) { // infinity
		return text
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if cut {
		whole += "." + fraction
	}
	return sign + whole
}

func threeDigits(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return r
}
