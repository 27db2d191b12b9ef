package ledger

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Between is how many slots were at work at the same time while nothing was to be recovered from, between a fault and the next one: a pool
// that loses capacity to faults shows it there, and not only at the end.
type Between struct {
	all  fewest
	idle fewest // of times in which the host was not starved for so long that there could have been work for all at once
}

// fewest is the least of some numbers.
type fewest struct{ least, times int }

func (f *fewest) count(n int) {
	if f.times++; f.times == 1 || n < f.least {
		f.least = n
	}
}

// leastBetween is how long the target must have been whole and without a fault for its slots to have been at work at once: several tasks'
// length, and longer than a busy host makes one of them wait.
func (s *Ledger) leastBetween() time.Duration {
	return max(5*s.Header.Load.Takes, 50*time.Millisecond)
}

// finish is called when every execution is known. The load must have work for each slot at any time.
func (b *Between) finish(s *Ledger) {
	*b = Between{}
	if s.Header.Load == nil || s.Header.Load.Concurrency < s.Whole.Want || s.Tasks.Runs == 0 || !s.Complete() {
		return
	}
	calm := s.calm()
	most := make([][]history.Run, len(calm))
	for id, e := range s.Tasks.All {
		for _, r := range s.Tasks.RunsOf(id, e) {
			for i := sort.Search(len(calm), func(i int) bool { return calm[i].to > r.Start }); i < len(calm) && calm[i].from < r.End; i++ {
				most[i] = append(most[i], history.Run{PID: int(r.PID), Start: max(r.Start, calm[i].from), End: min(r.End, calm[i].to)})
			}
		}
	}
	for i := range calm {
		n := history.Together(most[i])
		b.all.count(n)
		if t := calm[i]; t.to-t.from-s.Host.Within(t.from, t.to) >= s.leastBetween() {
			b.idle.count(n)
		}
	}
}

// calm is the times, long enough, in which no fault was at work and all before were recovered from, while tasks were submitted.
func (s *Ledger) calm() (list []Span) {
	var last time.Duration // the last submission
	for _, e := range s.Tasks.All {
		last = max(last, e.Submitted)
	}
	var bad []Span
	for _, i := range s.Injections.List {
		if i.Injected {
			bad = append(bad, Span{i.Began, max(i.Settled, i.Healed)})
		}
	}
	for _, d := range s.Slots.Deaths {
		switch d.Fate {
		case Recovered:
			bad = append(bad, Span{d.At, d.Back})
		case Waiting, Never:
			bad = append(bad, Span{d.At, last})
		case GivenUp:
		}
	}
	slices.SortFunc(bad, func(a, b Span) int { return cmp.Compare(a.from, b.from) })
	from := time.Duration(0)
	for i, b := range bad {
		from = max(from, b.to)
		to := last
		if i+1 < len(bad) {
			to = min(to, bad[i+1].from)
		}
		if to-from >= s.leastBetween() {
			list = append(list, Span{from, to})
		}
	}
	return list
}

// TogetherBetween is the fewest slots that were at work at the same time after a recovery and before the next fault.
func (s *Ledger) TogetherBetween() Reading { return Count(s.Between.all.least, s.Between.all.times) }

// CalmTogetherBetween is the same of the times that are long enough though what a starved host took counts for nothing.
func (s *Ledger) CalmTogetherBetween() Reading {
	return Count(s.Between.idle.least, s.Between.idle.times)
}
