package reports

import (
	"math"
	"sort"
	"time"
)

// bins is a series over the run's time in at most maxBins bins: when the run outgrows them, neighbours are joined and each
// bin covers twice the time.
type bins[T any] struct {
	width time.Duration
	list  []T
	join  func(into *T, from T)
}

const (
	maxBins  = 240
	firstBin = 10 * time.Millisecond
)

func newBins[T any](join func(into *T, from T)) bins[T] { return bins[T]{width: firstBin, join: join} }

// at is the bin of a time.
func (b *bins[T]) at(t time.Duration) *T {
	t = max(t, 0)
	for int(t/b.width) >= maxBins {
		half := make([]T, (len(b.list)+1)/2, maxBins)
		for i := range b.list {
			b.join(&half[i/2], b.list[i])
		}
		b.list, b.width = half, 2*b.width
	}
	i := int(t / b.width)
	for len(b.list) <= i {
		var zero T
		b.list = append(b.list, zero)
	}
	return &b.list[i]
}

// latencies is the latencies of a bin: exact counts in buckets a twentieth of a power of two wide, which is 3.5 % at most.
type latencies struct {
	n      int
	bucket map[int]int
}

const perOctave = 20

func (l *latencies) add(d time.Duration) {
	if l.bucket == nil {
		l.bucket = make(map[int]int)
	}
	l.n++
	l.bucket[int(math.Floor(perOctave*math.Log2(float64(max(d, 1)))))]++
}

func (l *latencies) merge(from latencies) {
	for k, n := range from.bucket {
		if l.bucket == nil {
			l.bucket = make(map[int]int)
		}
		l.bucket[k] += n
	}
	l.n += from.n
}

// quantile is the upper edge of the bucket that holds it, in seconds; 0 without samples.
func (l *latencies) quantile(q float64) float64 {
	keys := make([]int, 0, len(l.bucket))
	for k := range l.bucket {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	rank := int(math.Ceil(q * float64(l.n)))
	for _, k := range keys {
		if rank -= l.bucket[k]; rank <= 0 {
			return math.Exp2(float64(k+1)/perOctave) / 1e9
		}
	}
	return 0
}
