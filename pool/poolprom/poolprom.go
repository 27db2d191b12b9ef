// Package poolprom shows a pool to Prometheus. The package pool knows nothing of it.
package poolprom

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/respawn-go/respawn/pool"
)

// Collector is a pool as a prometheus.Collector: register it once. Every scrape asks the pool for its Stats. With
// [pool.Config.Measure] it has the times of tasks too.
type Collector struct {
	pool  *pool.Pool
	label prometheus.Labels
}

var _ prometheus.Collector = (*Collector)(nil)

// New makes a collector of the pool. labels tell it from other pools of the program, such as {"pool": "images"}; nil
// for none.
func New(p *pool.Pool, labels prometheus.Labels) *Collector { return &Collector{p, labels} }

// Describe sends nothing: which tasks there are is known when they have run.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends what Stats tells now.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.pool.Stats()
	for _, m := range []struct {
		name, help string
		value      float64
	}{
		{"queued", "Tasks that wait.", float64(s.Queued)},
		{"in_flight", "Tasks at workers.", float64(s.InFlight)},
		{"workers_ready", "Workers that take tasks.", float64(s.Ready)},
		{"workers_starting", "Workers that are booting.", float64(s.Starting)},
		{"spares_ready", "Hot spares that are ready.", float64(s.Spares)},
		{"breaker_open", "1 while no worker is started, after a row of failed boots.", number(s.BreakerOpen)},
	} {
		c.send(out, m.name, m.help, prometheus.GaugeValue, m.value, nil)
	}
	for _, m := range []struct {
		name, help string
		value      uint64
	}{
		{"submitted_total", "Tasks that were accepted.", s.Submitted},
		{"requeued_total", "Tasks that were sent again because a worker died.", s.Requeued},
		{"lost_total", "Tasks that were given up after too many deaths.", s.Lost},
		{"late_results_total", "Results of tasks that were settled already.", s.Late},
		{"rejected_messages_total", "Messages that no worker should send.", s.Rejected},
		{"worker_starts_total", "Processes that were started.", s.Started},
		{"boot_failures_total", "Workers that did not come up.", s.BootFailures},
	} {
		c.send(out, m.name, m.help, prometheus.CounterValue, float64(m.value), nil)
	}
	for _, m := range []struct {
		outcome string
		value   uint64
	}{{"ok", s.OK}, {"failed", s.Failed}} {
		c.send(out, "settled_total", "Tasks that have their outcome.", prometheus.CounterValue, float64(m.value),
			prometheus.Labels{"outcome": m.outcome})
	}
	c.exits(out, s)
	for task, t := range s.Tasks {
		c.times(out, "task_queue_seconds", "From the submission of a task until it was sent to its worker.",
			task, &t.Queue)
		c.times(out, "task_run_seconds", "How long handlers ran.", task, &t.Run)
		c.times(out, "task_total_seconds", "From the submission of a task until it settled.", task, &t.Total)
	}
}

// exits sends how many workers ended, and why.
func (c *Collector) exits(out chan<- prometheus.Metric, s pool.Stats) {
	const help = "Workers that ended: for the pool's reason, or crashed, oom, killed, unasked."
	for reason, n := range s.ExitsByReason() {
		c.send(out, "worker_exits_total", help, prometheus.CounterValue, float64(n),
			prometheus.Labels{"reason": reason})
	}
}

func (c *Collector) desc(name, help string, labels prometheus.Labels) *prometheus.Desc {
	all := prometheus.Labels{}
	for _, set := range []prometheus.Labels{c.label, labels} {
		for k, v := range set {
			all[k] = v
		}
	}
	return prometheus.NewDesc("respawn_pool_"+name, help, nil, all)
}

func (c *Collector) send(out chan<- prometheus.Metric, name, help string, kind prometheus.ValueType, v float64,
	labels prometheus.Labels,
) {
	out <- prometheus.MustNewConstMetric(c.desc(name, help, labels), kind, v)
}

// times sends a histogram.
func (c *Collector) times(out chan<- prometheus.Metric, name, help, task string, h *pool.Histogram) {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, n := range h.Counts {
		sum += n
		if bound := pool.HistogramBound(i); bound < math.MaxInt64 {
			buckets[bound.Seconds()] = sum
		}
	}
	out <- prometheus.MustNewConstHistogram(c.desc(name, help, prometheus.Labels{"task": task}), sum,
		h.Sum.Seconds(), buckets)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
