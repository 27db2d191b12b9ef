package pool

import (
	"math/bits"
	"time"
)

// histogramBuckets is the number of buckets with a bound; what is longer than the last bound is in one more.
const histogramBuckets = 27

// Histogram counts times by buckets that double: the bounds are 1 µs, 2 µs, 4 µs, … 67 s. The zero value is empty. It is a plain
// value: copying it is a snapshot.
type Histogram struct {
	Counts [histogramBuckets + 1]uint64 // Counts[i] of at most HistogramBound(i), and longer than the bound before
	Sum    time.Duration
}

// HistogramBound is the longest time of the i-th bucket, from 0; the last bucket has none, and it is the longest that there is.
func HistogramBound(i int) time.Duration {
	if i >= histogramBuckets {
		return 1<<63 - 1
	}
	return time.Microsecond << i
}

// add counts a time so often.
func (h *Histogram) add(d time.Duration, weight uint64) {
	d = max(d, 0)
	at := 0
	if d > time.Microsecond {
		at = min(bits.Len64(uint64((d-1)/time.Microsecond)), histogramBuckets)
	}
	h.Counts[at] += weight
	h.Sum += d * time.Duration(weight)
}

// Count is how many times were counted.
func (h Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile is the bound of the bucket in which that share of the times ends, 0 to 1: the true one is at most that, and more than half
// of it. 0 when nothing was counted.
func (h Histogram) Quantile(share float64) time.Duration {
	all := h.Count()
	if all == 0 {
		return 0
	}
	want, seen := max(share*float64(all), 1), uint64(0)
	for i, c := range h.Counts {
		if seen += c; float64(seen) >= want {
			return HistogramBound(i)
		}
	}
	return HistogramBound(histogramBuckets)
}
