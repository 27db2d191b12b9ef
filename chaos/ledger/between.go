package ledger

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Between is how many slots were at work at the same time while nothing was to be recovered from, between a fault and
// the next one: a pool that loses capacity to faults shows it there, and not only at the end.
type Between struct {
	all  fewest
	fair fewest // of times that gave all a chance to be at work at once, starved host or not
}

// fewest is the least of some numbers.
type fewest struct{ least, times int }

func (f *fewest) count(n int) {
	if f.times++; f.times == 1 || n < f.least {
		f.least = n
	}
}

// leastBetween is how long the target must have been whole and without a fault for its slots to have been at work at
// once: several tasks' length, and longer than a busy host makes one of them wait.
func (s *Ledger) leastBetween() time.Duration {
	return max(5*s.Header.Load.Takes, 50*time.Millisecond)
}

// starvedBetween is how many times as long it must have been on a host that was starved for all of it. A correct pool
// of four that had a tenth of a CPU, or shared two with eight loops, had all at work at once in each time between two
// kills a second apart.
const starvedBetween = 10

// finish is called when every execution is known. The load must have work for each slot at any time. Of tasks whose
// length is known, the part of an execution counts in which its process must have been at work: one that waits for
// another within what it tells as running is not. A process that was to take no more tasks counts for no slot. What a
// starved host took makes an execution no shorter for fair.
func (b *Between) finish(s *Ledger) {
	*b = Between{}
	if s.Header.Load == nil || s.Header.Load.Concurrency < s.Whole.Want || s.Tasks.Runs == 0 || !s.Complete() {
		return
	}
	calm := s.calm()
	worked, excused := make([][]history.Run, len(calm)), make([][]history.Run, len(calm))
	for id, e := range s.Tasks.All {
		for _, r := range s.Tasks.RunsOf(id, e) {
			if s.Evidence.retired.Retired(int(r.PID), r.Start) {
				continue // it stands in for no slot
			}
			run := history.Run{PID: int(r.PID), Start: r.Start, End: r.End}
			surely, perhaps := run, run
			if takes := s.Header.Load.Takes; takes > 0 {
				surely, perhaps = run.AtWork(takes), run.AtWork(takes+s.Host.Within(run.Start, run.End))
			}
			for i := sort.Search(len(calm), func(i int) bool { return calm[i].to > run.Start }); i < len(calm) &&
				calm[i].from < run.End; i++ {
				worked[i] = append(worked[i], calm[i].clip(surely))
				excused[i] = append(excused[i], calm[i].clip(perhaps))
			}
		}
	}
	for i := range calm {
		b.all.count(history.Together(worked[i]))
		long, least := calm[i].to-calm[i].from, s.leastBetween()
		if long-s.Host.Within(calm[i].from, calm[i].to) >= least || long >= starvedBetween*least {
			b.fair.count(history.Together(excused[i]))
		}
	}
}

// of is the part of an execution that lies in the span.
func (c Span) clip(r history.Run) history.Run {
	r.Start, r.End = max(r.Start, c.from), min(r.End, c.to)
	return r
}

// calm is the times, long enough, in which no fault was at work and all before were recovered from, while tasks were
// submitted.
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

// CalmTogetherBetween is the same of the times that are long enough though what a starved host took counts for nothing,
// or for little.
func (s *Ledger) CalmTogetherBetween() Reading {
	return Count(s.Between.fair.least, s.Between.fair.times)
}
