package reports

import (
	"cmp"
	"fmt"
	"math"
)

// Rate is how often runs of one kind failed. Runs that proved nothing, broke or were interrupted are not among them.
type Rate struct {
	Failed, Runs int
	Confidence   float64 // of the interval, between 0 and 1; 0 is 0.95
}

// RateOf counts verdicts.
func RateOf(confidence float64, verdicts ...Verdict) Rate {
	r := Rate{Confidence: confidence}
	for _, v := range verdicts {
		switch v {
		case Fail:
			r.Failed++
			r.Runs++
		case Pass:
			r.Runs++
		}
	}
	return r
}

func (r Rate) confidence() float64 { return cmp.Or(r.Confidence, 0.95) }

// Interval is between what shares the true one lies with that confidence: the score interval of Wilson ("Probable
// Inference, the Law of Succession, and Statistical Inference", Journal of the American Statistical Association 22,
// 1927), which holds for few runs too, and for none that failed.
func (r Rate) Interval() (low, high float64) {
	if r.Runs == 0 {
		return 0, 1
	}
	n, p, z := float64(r.Runs), float64(r.Failed)/float64(r.Runs), math.Sqrt2*math.Erfinv(r.confidence())
	middle := p + z*z/(2*n)
	spread := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	scale := 1 + z*z/n
	return max((middle-spread)/scale, 0), min((middle+spread)/scale, 1)
}

// String is "fails 1 of 4 (95 %: 5–70 %)".
func (r Rate) String() string {
	low, high := r.Interval()
	return fmt.Sprintf("fails %d of %d (%s %%: %.0f–%.0f %%)", r.Failed, r.Runs, percentOf(r.confidence()),
		100*low, 100*high)
}

// percentOf is a share in percent, with as many digits as it has.
func percentOf(share float64) string { return fmt.Sprintf("%.6g", 100*share) }
