package reports

import "math"

// axis is how values are written along one side of a drawing; the zero value is a side without any.
type axis struct {
	text func(float64) string
	base float64 // round numbers are made of its powers: 0 means 10
	unit float64 // the smallest step; 0: none
}

var (
	times   = axis{text: seconds}
	moments = axis{text: moment}
	counts  = axis{text: whole, unit: 1}
	rates   = axis{text: three}
	sizes   = axis{text: size, base: 1024}
)

// fewestTicks is how many numbers an axis has at least, where there are so many round ones.
const fewestTicks = 3

// ticks are round numbers between two bounds, about as many as wanted.
func (a axis) ticks(from, to float64, about int, log bool) (list []float64) {
	if !(to > from) {
		return nil
	}
	if log {
		return decades(from, to)
	}
	for more := range 6 {
		if list = a.even(from, to, about+more); len(list) >= fewestTicks {
			break
		}
	}
	return list
}

// even are multiples of a round number.
func (a axis) even(from, to float64, about int) (list []float64) {
	raw := (to - from) / float64(about)
	base, steps := a.base, []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	if base == 0 {
		base, steps = 10, []float64{1, 2, 5, 10}
	}
	power := math.Pow(base, math.Floor(math.Log(raw)/math.Log(base)))
	unit := power
	for _, m := range steps {
		if unit = power * m; unit >= raw*0.999 {
			break
		}
	}
	unit = max(unit, a.unit)
	for n := math.Ceil(from / unit); n*unit <= to*(1+1e-9); n++ {
		list = append(list, n*unit)
	}
	return list
}

// decades are the powers of ten between two bounds, and where these are few, twice and five times as much too.
func decades(from, to float64) (list []float64) {
	parts := []float64{1}
	if math.Log10(to/from) < 2.5 {
		parts = []float64{1, 2, 5}
	}
	for power := math.Pow(10, math.Floor(math.Log10(from))); power <= to; power *= 10 {
		for _, p := range parts {
			if v := p * power; v >= from*0.9999 && v <= to*1.0001 {
				list = append(list, v)
			}
		}
	}
	return list
}
