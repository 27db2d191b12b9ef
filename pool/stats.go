package pool

import (
	"math/bits"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// Stats counts what happened in a pool since New. Submitted = Settled + what is queued or in flight; Settled = OK +
// Failed.
type Stats struct {
	Submitted    uint64 // accepted
	Settled      uint64
	OK           uint64 // settled with a value
	Failed       uint64 // settled with an error of any kind
	Lost         uint64 // of these, with *WorkerLostError
	Requeued     uint64 // sent again because a worker died
	Revoked      uint64 // taken back before they started
	Late         uint64 // results of tasks that were settled already
	Rejected     uint64 // messages that no worker should send
	Started      uint64 // processes started
	BootFailures uint64 // what fed the breaker: see Backoff
	Exits        uint64
	Crashed      uint64 // exits by kind
	OOM          uint64
	Killed       uint64
	Queued       int // now
	InFlight     int // now
	Ready        int // workers that take tasks now
	Starting     int // workers that are booting now, spares included
	Spares       int // ready hot spares now
	BreakerOpen  bool
	Recycled     uint64 // exits by the pool's reason: see ReasonRecycle; of the others see Ended
	TimedOut     uint64 // ReasonTimeout
	Stalled      uint64 // ReasonStall

	// With Config.Measure: how long tasks took, in all and by name. Empty without.
	Total TaskStats
	Tasks map[string]TaskStats

	ended [ReasonBoot + 1]uint64
}

// Ended is how many workers ended for that reason; ReasonNone is those that the pool did not end.
func (s Stats) Ended(r Reason) uint64 { return s.ended[min(r, ReasonBoot)] }

// ExitsByReason is how many workers ended by each reason of the pool's, and of the others by what they came to:
// crashed, oom, killed, or unasked, which is none of these. Every name is there, with 0 too.
func (s Stats) ExitsByReason() map[string]uint64 {
	known := s.Crashed + s.OOM + s.Killed
	all := map[string]uint64{
		"crashed": s.Crashed, "oom": s.OOM, "killed": s.Killed,
		"unasked": s.Ended(ReasonNone) - min(s.Ended(ReasonNone), known),
	}
	for r := ReasonStop; r <= ReasonBoot; r++ {
		all[r.String()] = s.Ended(r)
	}
	return all
}

func (s *Stats) countExit(x Exit) {
	s.Exits++
	s.ended[min(x.Reason, ReasonBoot)]++
	switch x.Kind {
	case KindCrashed:
		s.Crashed++
	case KindOOM:
		s.OOM++
	case KindKilled:
		s.Killed++
	}
}

// Stats counts what happened so far.
func (p *Pool) Stats() Stats {
	st := p.lock()
	defer st.unlock()
	s := st.stats
	s.Recycled, s.TimedOut, s.Stalled = s.ended[ReasonRecycle], s.ended[ReasonTimeout], s.ended[ReasonStall]
	if st.measures != nil {
		s.Total, s.Tasks = st.measures.snapshot()
	}
	s.Queued, s.Ready, s.Spares, s.BreakerOpen = st.queue.live, st.ready, len(st.bench), st.breaker.Open()
	for _, slot := range st.slots {
		s.Queued += slot.pinned.live
	}
	s.InFlight = st.live - s.Queued // not what workers still run though its caller has given it up
	for w := range st.workers {
		if w.state == Starting {
			s.Starting++
		}
	}
	return s
}

// TaskStats is how long tasks took, with Config.Measure. Every task is counted, but for those so short that looking at
// the clock would slow them down: of these one in 64 is looked at, and counts for 64.
type TaskStats struct {
	OK     uint64 // settled with a value
	Failed uint64 // settled with an error of any kind
	// from its submission until it was sent to the worker that it ended at; not of those that never were
	Queue Histogram
	Run   Histogram // how long the handler ran, as that worker says; not of those that no answer settled
	Total Histogram // from its submission until it settled
}

// measureBase is what monotonic counts from.
var measureBase = time.Now()

// monotonic is a clock for measuring inside this process: one call of the vDSO in place of two for the time of day.
func monotonic() time.Duration { return time.Since(measureBase) }

// sampled is how many tiny tasks one stands for.
const sampled = 64

// firstTasks are looked at whatever they cost, which is not known yet.
const firstTasks = 64

// timing is when what happened to a task that is looked at, by monotonic.
type timing struct {
	submitted, sent, settled time.Duration
	weight                   uint64 // 0: it is looked at for its submitter only
}

// measures is what a pool knows of the times of its tasks.
type measures struct {
	total TaskStats
	tasks map[string]*TaskStats
	skip  int // tiny tasks that are not looked at before the next
}

// looksAt tells for how many tasks this one stands; 0 if it is not looked at.
func (m *measures) looksAt(cost time.Duration, submitted uint64) uint64 {
	if cost >= tinyTask || submitted <= firstTasks {
		return 1
	}
	if m.skip > 0 {
		m.skip--
		return 0
	}
	m.skip = sampled - 1
	return sampled
}

// timeFrom begins to look at a call that was accepted, if it is to be.
func (st *state) timeFrom(c *call) {
	var weight uint64
	if st.measures != nil {
		weight = st.measures.looksAt(st.pacer.cost, st.stats.Submitted)
	}
	if weight > 0 || c.extra != nil && c.extra.outcome != nil {
		c.more().timing = &timing{submitted: monotonic(), weight: weight}
	}
}

// timeTo ends that.
func (st *state) timeTo(c *call) {
	if c.extra == nil || c.extra.timing == nil {
		return
	}
	t := c.extra.timing
	t.settled = monotonic()
	if t.weight == 0 || st.measures == nil {
		return
	}
	of := st.measures.tasks[c.def.name]
	if of == nil {
		of = &TaskStats{}
		st.measures.tasks[c.def.name] = of
	}
	for _, s := range []*TaskStats{of, &st.measures.total} {
		if c.err == nil && c.raw == wire.FrameValue {
			s.OK += t.weight
		} else {
			s.Failed += t.weight
		}
		s.Total.add(t.settled-t.submitted, t.weight)
		if t.sent > 0 {
			s.Queue.add(t.sent-t.submitted, t.weight)
		}
		if c.raw != 0 {
			s.Run.add(c.ran, t.weight)
		}
	}
}

// snapshot is a copy for whoever asked.
func (m *measures) snapshot() (total TaskStats, tasks map[string]TaskStats) {
	tasks = make(map[string]TaskStats, len(m.tasks))
	for name, s := range m.tasks {
		tasks[name] = *s
	}
	return m.total, tasks
}

// WithOutcome has f called once with how the task came to its end, before its value is there: for Call, Map and Stream,
// which return no future. With Map and Stream it is called for each task, in the order in which they settle. It must
// not block, nor call the pool: it runs where results are read. Given several times, each is called.
func WithOutcome(f func(Outcome)) Option {
	return func(o *options) {
		if before := o.outcome; before != nil {
			o.outcome = func(told Outcome) { before(told); f(told) }
		} else {
			o.outcome = f
		}
	}
}

// told is how the call came to its end.
func (c *call) told() Outcome {
	o := Outcome{TaskID: c.id, Attempts: int(c.attempt), Exits: c.exits(), PID: int(c.pid), Run: c.ran}
	if c.extra != nil && c.extra.timing != nil {
		t := c.extra.timing
		o.Total = t.settled - t.submitted
		if t.sent > 0 {
			o.Queue = t.sent - t.submitted
		}
	}
	return o
}

// histogramBuckets is the number of buckets with a bound; what is longer than the last bound is in one more.
const histogramBuckets = 27

// Histogram counts times by buckets that double: the bounds are 1 µs, 2 µs, 4 µs, … 67 s. The zero value is empty. It
// is a plain value: copying it is a snapshot.
type Histogram struct {
	Counts [histogramBuckets + 1]uint64 // Counts[i] of at most HistogramBound(i), and longer than the bound before
	Sum    time.Duration
}

// HistogramBound is the longest time of the i-th bucket, from 0; the last bucket has none, and it is the longest that
// there is.
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

// Quantile is the bound of the bucket in which that share of the times ends, 0 to 1: the true one is at most that, and
// more than half of it. 0 when nothing was counted.
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
