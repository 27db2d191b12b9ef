package ledger

import (
	"math"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Series is figures over the time of the run, in bins: their number is bounded, whatever the length of the run.
type Series struct {
	Load  Bins[LoadBin]
	Looks Bins[LookBin]
	Host  Bins[HostBin]
	Begun map[int]*Bins[int] // by pid's slot, how many executions began
	home  map[int]int        // by pid, its slot
	ready []Ready            // of a target that does not tell events
	over  bool               // the target is being stopped: what it has less from here on is meant so
}

// LoadBin is what was settled in a bin.
type LoadBin struct {
	OK, Bad int
	Latency Latencies
}

// LookBin is the largest figures of the looks at the target in a bin. CPU is the last, and At is when that was.
type LookBin struct {
	Seen             bool
	RSS, Parent      int64
	FDs, Goroutines  int
	CPU, At          time.Duration
	Orphans, Zombies int
}

// HostBin is looks at the host in a bin: CPU times added up, and the latest that a sleep ended.
type HostBin struct {
	From, To               time.Duration // To is 0 without any look
	All, Own, Others, Late time.Duration
	Starved                bool
}

// Ready is how many members were ready from a time on, of how many that were wanted.
type Ready struct {
	At          time.Duration
	Ready, Want int
}

func (r *Series) init() {
	r.Load = NewBins(func(into *LoadBin, b LoadBin) {
		into.OK += b.OK
		into.Bad += b.Bad
		into.Latency.merge(b.Latency)
	})
	r.Looks = NewBins(func(into *LookBin, b LookBin) { into.grow(b) })
	r.Host = NewBins(func(into *HostBin, b HostBin) { into.grow(b) })
	r.Begun, r.home = map[int]*Bins[int]{}, map[int]int{}
}

func (r *Series) add(e *history.Event, s *Ledger) {
	switch {
	case e.Stage != nil:
		r.over = e.Stage.Name == history.Stop
	case e.Task != nil && e.Task.Op == history.Settled:
		bin := r.Load.At(e.T)
		bin.Latency.add(e.Task.Latency)
		if e.Task.Outcome == history.OK {
			bin.OK++
		} else {
			bin.Bad++
		}
	case e.Member != nil && e.Member.PID > 0 && e.Member.Slot >= 0:
		r.home[e.Member.PID] = e.Member.Slot
	case e.Run != nil:
		if slot, ok := r.home[e.Run.PID]; ok {
			if r.Begun[slot] == nil {
				b := NewBins(func(into *int, n int) { *into += n })
				r.Begun[slot] = &b
			}
			*r.Begun[slot].At(e.Run.Start)++
		}
	case e.Sample != nil && !r.over:
		x := e.Sample
		r.Looks.At(e.T).grow(LookBin{true, x.RSS, x.ParentRSS, x.FDs, x.Goroutines, x.CPU, e.T, x.Orphans, x.Zombies})
		if !s.Whole.events {
			r.ready = append(r.ready, Ready{e.T, ReadyIn(x), x.Want})
		}
	case e.Host != nil && e.Host.Over > 0:
		r.host(e.T, e.Host)
	}
}

func (r *Series) host(t time.Duration, h *history.Host) {
	b := HostBin{
		From: max(0, t-h.Over), To: t, All: h.Over * time.Duration(h.CPUs), Own: h.Own, Others: h.Others + h.Stolen,
		Starved: Starved(h),
	}
	for _, late := range h.Late {
		b.Late = max(b.Late, late)
	}
	r.Host.At(t).grow(b)
}

func (b *LookBin) grow(n LookBin) {
	if !n.Seen {
		return
	}
	b.Seen = true
	b.RSS, b.Parent = max(b.RSS, n.RSS), max(b.Parent, n.Parent)
	b.FDs, b.Goroutines = max(b.FDs, n.FDs), max(b.Goroutines, n.Goroutines)
	b.Orphans, b.Zombies = max(b.Orphans, n.Orphans), max(b.Zombies, n.Zombies)
	b.CPU, b.At = n.CPU, n.At
}

func (b *HostBin) grow(n HostBin) {
	switch {
	case n.To == 0:
	case b.To == 0:
		*b = n
	default:
		b.From, b.To = min(b.From, n.From), max(b.To, n.To)
		b.All, b.Own, b.Others = b.All+n.All, b.Own+n.Own, b.Others+n.Others
		b.Late, b.Starved = max(b.Late, n.Late), b.Starved || n.Starved
	}
}

// Readiness is how many members were ready over time, as [Ledger.ReadyMin] and pool.below count them: of a target that
// tells its events by these, of another by the samples.
func (s *Ledger) Readiness() []Ready {
	if !s.Whole.events {
		return s.Series.ready
	}
	t := newTally(s.Whole.size)
	list := []Ready{{0, 0, t.want}}
	for _, c := range s.Whole.changes {
		t.add(c, true)
		now := Ready{c.at, t.want - t.missing, t.want}
		if !t.begun { // before the faults a slot of which nothing was told has nobody yet
			now.Ready = len(t.members)
		}
		last := &list[len(list)-1]
		switch {
		case now.Ready == last.Ready && now.Want == last.Want:
		case last.At == now.At:
			*last = now
		default:
			list = append(list, now)
		}
	}
	return list
}

// Bins is a series over the run's time in at most MostBins bins: when the run outgrows them, neighbours are joined and
// each bin covers twice the time.
type Bins[T any] struct {
	Width time.Duration
	List  []T
	join  func(into *T, from T)
}

// MostBins is how many bins a series has at most.
const MostBins = 240

const firstBin = 10 * time.Millisecond

// NewBins is a series without any bin; join puts what is in one bin into another.
func NewBins[T any](join func(into *T, from T)) Bins[T] { return Bins[T]{Width: firstBin, join: join} }

// At is the bin of a time.
func (b *Bins[T]) At(t time.Duration) *T {
	t = max(t, 0)
	for int(t/b.Width) >= MostBins {
		half := make([]T, (len(b.List)+1)/2, MostBins)
		for i := range b.List {
			b.join(&half[i/2], b.List[i])
		}
		b.List, b.Width = half, 2*b.Width
	}
	i := int(t / b.Width)
	for len(b.List) <= i {
		var zero T
		b.List = append(b.List, zero)
	}
	return &b.List[i]
}

// Latencies is exact counts of times in buckets a twentieth of a power of two wide, which is 3.5 % at most.
type Latencies struct {
	N      int
	bucket map[int]int
}

const perOctave = 20

func (l *Latencies) add(d time.Duration) {
	if l.bucket == nil {
		l.bucket = make(map[int]int)
	}
	l.N++
	l.bucket[int(math.Floor(perOctave*math.Log2(float64(max(d, 1)))))]++
}

func (l *Latencies) merge(from Latencies) {
	for k, n := range from.bucket {
		if l.bucket == nil {
			l.bucket = make(map[int]int)
		}
		l.bucket[k] += n
	}
	l.N += from.N
}

// Quantile is the upper edge of the bucket that holds it, in seconds; 0 without samples.
func (l *Latencies) Quantile(q float64) float64 {
	keys := make([]int, 0, len(l.bucket))
	for k := range l.bucket {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	rank := int(math.Ceil(q * float64(l.N)))
	for _, k := range keys {
		if rank -= l.bucket[k]; rank <= 0 {
			return math.Exp2(float64(k+1)/perOctave) / 1e9
		}
	}
	return 0
}
