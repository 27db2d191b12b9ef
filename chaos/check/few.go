package check

import (
	"strings"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// fewSamples is a quantile of which there are fewer samples than it needs.
type fewSamples struct {
	ledger.View
	q    float64
	need int
}

// few is the quantile of that name, if that is what it is.
func (s *state) few(metric string) (fewSamples, bool) {
	for _, q := range quantiles {
		if d, of := s.distOf(metric); of != nil && strings.HasSuffix(metric, "."+q.name) && d.N() > 0 &&
			d.N() < q.need {
			return fewSamples{d, q.q, q.need}, true
		}
	}
	return fewSamples{}, false
}

// now is what those come to that there are.
func (f fewSamples) now() float64 { return f.Smallest(ledger.Rank(f.q, f.N())) }

// hopeless tells whether the comparison cannot hold whatever the samples would be that are missing. The quantile is the
// k-th smallest of all: at least k of them are at most the limit, or fewer than k below it.
func (f fewSamples) hopeless(op string, limit float64) bool {
	k, missing := ledger.Rank(f.q, f.need), f.need-f.N()
	below, upTo := 0, 0
	for i := 1; i <= f.N(); i++ {
		switch x := f.Smallest(i); {
		case x < limit:
			below, upTo = below+1, upTo+1
		case x == limit:
			upTo++
		}
	}
	tooLarge, tooSmall := upTo+missing < k, below >= k
	switch op {
	case "<=":
		return tooLarge
	case "<":
		return below+missing < k
	case ">=":
		return tooSmall
	case ">":
		return upTo >= k
	case "==":
		return tooLarge || tooSmall
	case "!=":
		return below+missing < k && upTo >= k
	}
	return false
}
