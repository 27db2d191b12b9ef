package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/respawn-go/respawn/internal/units"
)

// figure is one line of the table: a number, what this machine can do at best, and what is wanted of it.
type figure struct {
	name  string
	unit  string
	value float64 // 0: not measured
	floor float64 // 0: none
	ratio float64 // value to floor or, where less is worse, floor's part of it; 0: none
	goal  string
	met   bool
}

// figures are the result's numbers with their goals, in the order of the groups; those not measured are left out.
func (r *Result) figures() (list []figure) {
	add := func(f figure) {
		if f.value == 0 {
			return
		}
		if f.floor > 0 {
			f.ratio = f.value / f.floor
		}
		list = append(list, f)
	}
	p, f := r.Pool, r.Floor
	r.speeds(add)
	add(figure{name: "raw: fork/exec → first byte", unit: "ms", value: f.SpawnMS})
	add(figure{name: "raw: SIGKILL → reaped", unit: "ms", value: f.ReapMS})
	add(figure{
		name: "SIGKILL → replacement answered", unit: "ms", value: p.RespawnMS, floor: f.RespawnMS,
		goal: "≤ 1.4×", met: p.RespawnMS <= 1.4*f.RespawnMS,
	})
	add(figure{
		name: "… with a hot spare", unit: "ms", value: p.RespawnSpareMS, goal: "≤ 2ms", met: p.RespawnSpareMS <= 2,
	})
	add(figure{
		name: "SIGKILL → task runs elsewhere", unit: "ms", value: p.RequeueMS, goal: "≤ 2ms", met: p.RequeueMS <= 2,
	})
	add(figure{name: "1,000 workers up", unit: "s", value: p.Start1000S, goal: "≤ 5s", met: p.Start1000S <= 5})
	add(figure{
		name: "PSS of an idle worker", unit: "KiB", value: p.WorkerPSSKB, goal: "≤ " + show(2500, "KiB"),
		met: p.WorkerPSSKB <= 2500,
	})
	if e, c := r.External, r.CPython; e != nil && c != nil {
		e.figures(c, add)
	}
	if s := r.Soak; s != nil {
		add(figure{
			name: "10⁷ tasks: last tenth / first", value: s.TailOverHead,
			goal: "≥ 0.9", met: s.TailOverHead >= 0.9,
		})
		add(figure{
			name: "10⁷ tasks: memory growth", unit: "MB", value: s.RSSGrowthMB, goal: "≤ 16MB",
			met: s.RSSGrowthMB <= 16,
		})
	}
	if s := r.Storm; s != nil {
		add(figure{
			name: "storm, wall", unit: "s", value: s.WallS, floor: s.IdealS,
			goal: "≤ 1.2×", met: s.WallS <= 1.2*s.IdealS,
		})
	}
	if m := r.Report; m != nil {
		add(figure{name: "report of 10⁶ events", unit: "s", value: m.Seconds, goal: "≤ 6s", met: m.Seconds <= 6})
		add(figure{name: "… its HTML", unit: "MB", value: m.HTMLMB, goal: "≤ 5MB", met: m.HTMLMB <= 5})
	}
	return list
}

// speeds are the figures of workers that live.
func (r *Result) speeds(add func(figure)) {
	over := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	p, f := r.Pool, r.Floor
	python := r.Environment.CPythonPool
	add(figure{
		name: "tasks, one submitter", unit: "/s", value: p.TasksS, floor: f.PipeTasksS,
		goal: "≥ 1,000,000", met: p.TasksS >= 1e6,
	})
	add(figure{
		name: "… against CPython's Pool", unit: "/s", value: over(p.TasksS, python) * python, floor: python,
		goal: "≥ 40×", met: p.TasksS >= 40*python,
	})
	add(figure{name: "tasks, 64 callers", unit: "/s", value: p.TasksS64, goal: "≥ 250,000", met: p.TasksS64 >= 250_000})
	add(figure{
		name: "round trip, median", unit: "µs", value: p.RoundtripUS, floor: f.PingPongUS,
		goal: "≤ 2×", met: p.RoundtripUS <= 2*f.PingPongUS,
	})
	for i, kib := range curveSizes {
		f := figure{name: fmt.Sprintf("echo of %d KiB", kib), unit: "MB/s", value: p.Curve[kib]}
		if i > 0 {
			f.floor, f.goal = p.Curve[curveSizes[i-1]], "≥ 0.9×"
			f.met = f.value >= 0.9*f.floor
		}
		add(f)
	}
	add(figure{name: "Map of 10⁶ tiny tasks, 4 workers", unit: "/s", value: p.MapTasksS})
	add(figure{
		name: "… 512 workers, against 4", unit: "/s", value: p.MapTasksS512, floor: p.MapTasksS,
		goal: "≥ 0.8×", met: p.MapTasksS512 >= 0.8*p.MapTasksS,
	})
	add(figure{
		name: "… 2,048 workers, against 4", unit: "/s", value: p.MapTasksS2048, floor: p.MapTasksS,
		goal: "≥ 0.5×", met: p.MapTasksS2048 >= 0.5*p.MapTasksS,
	})
	add(figure{name: "round trip, p99", unit: "µs", value: p.RoundtripP99US})
	add(figure{
		name: "16 MiB echo", unit: "MB/s", value: p.EchoMBS, floor: f.EchoMBS,
		goal: "≥ 2×", met: p.EchoMBS >= 2*f.EchoMBS,
	})
	add(figure{
		name: "… borrowed by the caller too", unit: "MB/s", value: p.EchoLentMBS, floor: f.EchoMBS,
		goal: "≥ 2×", met: p.EchoLentMBS >= 2*f.EchoMBS,
	})
}

// Table writes the figures for people.
func (r *Result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tVALUE\tFLOOR\tRATIO\tGOAL\tMET")
	for _, f := range r.figures() {
		floor, ratio, met := "–", "–", "–"
		if f.floor > 0 {
			floor = show(f.floor, f.unit)
			ratio = strconv.FormatFloat(f.ratio, 'f', 2, 64) + "×"
		}
		if f.goal != "" {
			met = map[bool]string{true: "yes", false: "NO"}[f.met]
		} else {
			f.goal = "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.name, show(f.value, f.unit), floor, ratio, f.goal, met)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s := r.Storm; s != nil {
		fmt.Fprintf(w, "\nstorm of %d kills: %v (goal: %d / 0 / 0 / 0, true)\n", s.Kills, s, s.Tasks)
	}
	for _, n := range r.Environment.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// figures are those of Python workers, each beside CPython's own pool.
func (e *External) figures(c *CPython, add func(figure)) {
	add(figure{
		name: "Python, JSON, against its Pool", unit: "/s", value: e.TasksSJSON, floor: c.PoolTasksS,
		goal: "≥ 4×", met: e.TasksSJSON >= 4*c.PoolTasksS,
	})
	add(figure{
		name: "Python, bytes, against its Pool", unit: "/s", value: e.TasksSBytes, floor: c.PoolTasksS,
		goal: "≥ 8×", met: e.TasksSBytes >= 8*c.PoolTasksS,
	})
	add(figure{name: "… against ProcessPoolExecutor", unit: "/s", value: e.TasksSJSON, floor: c.ExecutorTasksS})
	add(figure{
		name: "Python, round trip, against its Pool", unit: "µs", value: e.RoundtripUS, floor: c.PoolRoundtripUS,
		goal: "≤ 1/3", met: 3*e.RoundtripUS <= c.PoolRoundtripUS,
	})
	add(figure{
		name: "… against a byte between two Pythons", unit: "µs", value: e.RoundtripUS, floor: c.SocketRoundtripUS,
	})
	add(figure{
		name: "Python, a task's ticket, of processor time", unit: "µs", value: e.TicketUS, goal: "≤ 2µs",
		met: e.TicketUS <= 2,
	})
	add(figure{
		name: "Python, 16 MiB echo, against its Pool", unit: "MB/s", value: e.EchoMBS, floor: c.PoolEchoMBS,
		goal: "≥ 5×", met: e.EchoMBS >= 5*c.PoolEchoMBS,
	})
	add(figure{
		name: "Python, SIGKILL → a spare answered", unit: "ms", value: e.RespawnSpareMS, goal: "≤ 3ms",
		met: e.RespawnSpareMS <= 3,
	})
	add(figure{
		name: "Python, 400 tasks in a storm: values", value: float64(e.StormOK), goal: "400",
		met: e.StormOK == stormTasks,
	})
}

// show writes a value in that unit for people.
func show(v float64, unit string) string {
	switch unit {
	case "µs":
		return units.Time(v / 1e6)
	case "ms":
		return units.Time(v / 1e3)
	case "s":
		return units.Time(v)
	case "KiB":
		return units.Size(v * 1024)
	case "/s": // in whole tasks
		v = math.Round(v)
	}
	return units.Number(v) + unit
}
