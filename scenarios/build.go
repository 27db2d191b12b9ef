package scenarios

import (
	"cmp"
	"reflect"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

// native is a scalar of the format as the type that the engine takes.
func native(v any) any {
	switch v := v.(type) {
	case Duration:
		return v.Std()
	case Bytes:
		return int64(v)
	case Count:
		return int(v)
	case Percent:
		return float64(v)
	case Rate:
		return float64(v)
	}
	return v
}

func (p Pick) engine() chaos.Pick {
	c := chaos.Pick{
		Random: int(p.Random), Percent: float64(p.Percent) * 100, All: p.All, Oldest: int(p.Oldest),
		Newest: int(p.Newest), Each: p.Each, Role: p.Role, State: p.State, Phase: p.Phase, In: p.In,
	}
	if p.Slot != nil {
		c.Slots = []int{int(*p.Slot)}
	}
	return c
}

func (w When) engine() chaos.When {
	c := chaos.When{
		After: w.After.Std(), Every: w.Every.Std(), Jitter: float64(w.Jitter), Poisson: float64(w.Poisson),
		Burst: int(w.Burst), For: w.For.Std(), Times: int(w.Times),
	}
	for _, at := range w.Sequence {
		c.Sequence = append(c.Sequence, at.Std())
	}
	return c
}

// engine is the chaos list for the engine.
func (s *Scenario) engine() []chaos.Nemesis {
	list := make([]chaos.Nemesis, len(s.Chaos))
	for i, n := range s.Chaos {
		list[i] = chaos.Nemesis{
			Fault: n.Fault.engine(), Pick: n.Pick.engine(), When: n.When.engine(),
			Require: max(int(n.Require.Confirmed), 1),
		}
	}
	return list
}

// engine is the load for the engine; nil when the target is to be idle.
func (l *Load) engine() *chaos.Load {
	if l == nil {
		return nil
	}
	c := &chaos.Load{
		Task: cmp.Or(l.Task, l.call().Name()), Args: map[string]any{}, Concurrency: int(l.Concurrency),
		Rate: float64(l.Rate), Map: int(l.Map), Count: int(l.Count),
	}
	if c.Concurrency == 0 && c.Rate == 0 && c.Map == 0 {
		c.Concurrency = 1
	}
	v := reflect.ValueOf(l.Args)
	for key, f := range fieldsOf(v.Type()) {
		if value := v.Field(f.index); !value.IsZero() {
			c.Args[key] = native(value.Interface())
		}
	}
	return c
}

// ideal is the time that a load of known size takes if nothing goes wrong; 0 when it is not known.
func (l *Load) ideal(size int) time.Duration {
	if l == nil || l.Count == 0 || l.Args.Duration == 0 || size == 0 {
		return 0
	}
	lanes, arrivals := min(max(int(l.Concurrency), 1), size), time.Duration(0)
	if l.Rate > 0 {
		lanes, arrivals = size, time.Duration(float64(l.Count-1)/float64(l.Rate)*float64(time.Second))
	}
	one := l.Args.Duration.Std()
	return max(time.Duration((int(l.Count)+lanes-1)/lanes)*one, arrivals+one)
}
