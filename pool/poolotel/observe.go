package poolotel

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/respawn-go/respawn/pool"
)

// figure is one number of Stats as an instrument.
type figure struct {
	name, unit, help string
	level            bool // goes up and down
	of               func(pool.Stats) uint64
}

var figures = []figure{
	{"respawn.pool.queued", "{task}", "Tasks that wait.", true, func(s pool.Stats) uint64 { return uint64(s.Queued) }},
	{
		"respawn.pool.in_flight", "{task}", "Tasks at workers.", true,
		func(s pool.Stats) uint64 { return uint64(s.InFlight) },
	},
	{
		"respawn.pool.workers.ready", "{worker}", "Workers that take tasks.", true,
		func(s pool.Stats) uint64 { return uint64(s.Ready) },
	},
	{
		"respawn.pool.workers.starting", "{worker}", "Workers that are booting.", true,
		func(s pool.Stats) uint64 { return uint64(s.Starting) },
	},
	{
		"respawn.pool.spares.ready", "{worker}", "Hot spares that are ready.", true,
		func(s pool.Stats) uint64 { return uint64(s.Spares) },
	},
	{
		"respawn.pool.breaker.open", "1", "1 while no worker is started, after a row of failed boots.",
		true, func(s pool.Stats) uint64 {
			if s.BreakerOpen {
				return 1
			}
			return 0
		},
	},
	{
		"respawn.pool.submitted", "{task}", "Tasks that were accepted.", false,
		func(s pool.Stats) uint64 { return s.Submitted },
	},
	{
		"respawn.pool.requeued", "{task}", "Tasks that were sent again because a worker died.",
		false, func(s pool.Stats) uint64 { return s.Requeued },
	},
	{
		"respawn.pool.lost", "{task}", "Tasks that were given up after too many deaths.",
		false, func(s pool.Stats) uint64 { return s.Lost },
	},
	{
		"respawn.pool.late_results", "{result}", "Results of tasks that were settled already.",
		false, func(s pool.Stats) uint64 { return s.Late },
	},
	{
		"respawn.pool.rejected_messages", "{message}", "Messages that no worker should send.", false,
		func(s pool.Stats) uint64 { return s.Rejected },
	},
	{
		"respawn.pool.worker.starts", "{worker}", "Processes that were started.", false,
		func(s pool.Stats) uint64 { return s.Started },
	},
	{
		"respawn.pool.boot_failures", "{worker}", "Workers that did not come up.", false,
		func(s pool.Stats) uint64 { return s.BootFailures },
	},
}

// Observe makes instruments of what Stats tells, which every collection asks for once; attrs tell the pool from others
// of the program. With [pool.Config.Measure] they have counts and times of tasks by name, the times as sums: the API
// has no histogram that is observed, poolprom shows them. Unregister ends it. The errors are the meter's.
func Observe(p *pool.Pool, meter metric.Meter, attrs ...attribute.KeyValue) (metric.Registration, error) {
	m := maker{meter: meter}
	numbers := make([]metric.Int64Observable, len(figures))
	for i, f := range figures {
		if f.level {
			numbers[i] = m.level(f.name, f.unit, f.help)
		} else {
			numbers[i] = m.count(f.name, f.unit, f.help)
		}
	}
	settled := m.count("respawn.pool.settled", "{task}", "Tasks that have their outcome.")
	exits := m.count("respawn.pool.worker.exits", "{worker}",
		"Workers that ended: for the pool's reason, or crashed, oom, killed, unasked.")
	tasks := m.count("respawn.pool.task.settled", "{task}",
		"Tasks of that name that have their outcome; estimated for tiny ones.")
	queue := m.time("respawn.pool.task.queue_time",
		"From the submission of tasks until they were sent to their workers, in all.")
	run := m.time("respawn.pool.task.run_time", "How long handlers ran, in all.")
	total := m.time("respawn.pool.task.total_time", "From the submission of tasks until they settled, in all.")
	if err := errors.Join(m.errs...); err != nil {
		return nil, err
	}
	of := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(slices.Concat(attrs, more)...)
	}
	return meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := p.Stats()
		for i, f := range figures {
			to.ObserveInt64(numbers[i], int64(f.of(s)), of())
		}
		to.ObserveInt64(settled, int64(s.OK), of(outcomeOK))
		to.ObserveInt64(settled, int64(s.Failed), of(outcomeFailed))
		for reason, n := range s.ExitsByReason() {
			to.ObserveInt64(exits, int64(n), of(attribute.String("reason", reason)))
		}
		for name, t := range s.Tasks {
			task := attribute.String("task", name)
			to.ObserveInt64(tasks, int64(t.OK), of(task, outcomeOK))
			to.ObserveInt64(tasks, int64(t.Failed), of(task, outcomeFailed))
			to.ObserveFloat64(queue, t.Queue.Sum.Seconds(), of(task))
			to.ObserveFloat64(run, t.Run.Sum.Seconds(), of(task))
			to.ObserveFloat64(total, t.Total.Sum.Seconds(), of(task))
		}
		return nil
	}, m.made...)
}

var outcomeOK, outcomeFailed = attribute.String("outcome", "ok"), attribute.String("outcome", "failed")

// maker makes instruments and keeps what went wrong.
type maker struct {
	meter metric.Meter
	made  []metric.Observable
	errs  []error
}

func (m *maker) keep(o metric.Observable, err error) {
	m.made, m.errs = append(m.made, o), append(m.errs, err)
}

func (m *maker) level(name, unit, help string) metric.Int64Observable {
	o, err := m.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	m.keep(o, err)
	return o
}

func (m *maker) count(name, unit, help string) metric.Int64Observable {
	o, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	m.keep(o, err)
	return o
}

func (m *maker) time(name, help string) metric.Float64Observable {
	o, err := m.meter.Float64ObservableCounter(name, metric.WithUnit("s"), metric.WithDescription(help))
	m.keep(o, err)
	return o
}
