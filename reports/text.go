package reports

import (
	"math"
	"strconv"

	"github.com/respawn-go/respawn/chaos/check"
)

// seconds writes a time for people, as the judge's sentences do: three digits, the unit that fits.
func seconds(s float64) string {
	if math.IsInf(s, 0) || math.IsNaN(s) {
		return "never"
	}
	return check.Seconds.Show(s)
}

// moment is a time of a run that is looked at closely: with as many digits as tell it from others a millisecond away.
func moment(s float64) string { return strconv.FormatFloat(s, 'g', 7, 64) + "s" }

// size writes bytes for people.
func size(b float64) string { return check.Bytes.Show(b) }

// three is a number in three significant digits, without exponent.
func three(v float64) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits <= 0 {
		return whole(math.Round(v))
	}
	return strconv.FormatFloat(v, 'f', min(digits, 6), 64)
}

// whole is a count.
func whole(v float64) string { return check.Count.Show(v) }

// Number is a count as people read it: 76,355.
func Number(n int) string { return whole(float64(n)) }
