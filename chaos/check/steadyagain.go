package check

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// steadiness follows whether the target is steady again once the faults are over, and stays so.
type steadiness struct {
	first  time.Duration // the look at which it was steady again
	late   bool          // that was too late
	lapses []lapse       // looks after it at which it was not steady
}

// lapse is a look at which the target was not steady any more.
type lapse struct {
	since time.Duration // the look before
	at    time.Duration
	line  int
	then  []Threshold
}

// mostLapses bounds what is kept of a target that is hardly ever steady.
const mostLapses = 1 << 10

// settledAgain takes whether the target is steady at a look after the faults. Rates are of a load that goes on: in the
// stage verify there is none, and before that noise would be taken for a lapse.
func (s *state) settledAgain(all bool, shown []Threshold) {
	l := &s.steadiness
	if !s.watch.reached[1] {
		if all {
			l.first, l.late = s.Now, !s.Settling.InTime
		}
		return
	}
	fails := func(t Threshold) bool {
		m, _ := Lookup(t.Metric)
		return !t.OK && m.now == nil
	}
	if slices.ContainsFunc(shown, fails) && len(l.lapses) < mostLapses {
		l.lapses = append(l.lapses, lapse{s.Settling.Before, s.Now, s.Line, shown})
	}
}

// lapsed is the first look at which a target that was steady again was not any more, though every member that was
// missing since the look before is accounted for. At the last look nothing is.
func (s *state) lapsed() *lapse {
	for i := range s.steadiness.lapses {
		if l := &s.steadiness.lapses[i]; l.at == s.Settling.Looked || !s.Accounted(l.since, l.at) {
			return l
		}
	}
	return nil
}

// saySettleTime says which of the two came so late.
func (s *state) saySettleTime(int) (string, int) {
	what := "the last slot was of use again only "
	if pool := s.Pool(); pool.Back-s.Settling.Struck > s.Slots.Last-s.Began[ledger.Settle] {
		what = "the pool was whole again only "
	}
	return what + Seconds.Show(s.SettleTime().Value) + " after the faults, and settle is " +
		Seconds.Show(s.Header.Settle.Seconds()), s.Looks.LastLine
}
