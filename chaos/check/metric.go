package check

import (
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// Unit is what a metric is counted in. Values are kept in the base unit: seconds, bytes, a plain number, per second,
// and 1 for 100%.
type Unit string

// The units, as docs and schema name them.
const (
	Seconds   Unit = "s"
	Bytes     Unit = "B"
	Count     Unit = "count"
	PerSecond Unit = "1/s"
	Ratio     Unit = "ratio"
)

// noun is the unit in a sentence: "pool.ready is a count".
func (u Unit) noun() string {
	return map[Unit]string{
		Seconds: "a time", Bytes: "a size", Count: "a count", PerSecond: "a rate", Ratio: "a ratio",
	}[u]
}

// Metric is one number that can be told from a history.
type Metric struct {
	Name    string
	Unit    Unit
	Meaning string // one sentence
	Formula string // in words, from the records of the history
	// Live tells that the figure is there while the run goes on, so that steady and abort may ask for it.
	Live bool
	// Signed tells that the figure may be negative.
	Signed bool
	// Aside tells that the figure is about the host or the harness: an abort condition on it does not blame the target.
	Aside bool
	// Lasting tells that what is above a limit once stays there, so that it counts even if the run is cut short.
	Lasting bool
	// Least and Most are the values beyond which the figure never is, as a rule: 0 is 0 for Least, and none for Most.
	Least, Most float64
	// Takes tells that the figure is never 0: a time that something takes.
	Takes bool
	// Needs is the number of samples below which there is no such figure: 10 of a p90. 0 where one is enough.
	Needs int

	of func(*state) ledger.Reading
	// calm is the same without the time for which the host was starved. nil: the figure is not about time, and a
	// starved host is no excuse.
	calm func(*state) ledger.Reading
	now  func(*state) ledger.Reading // where it is another figure while the run goes on
}

// fractional tells whether a count may be something else than a whole number.
func (m Metric) fractional() bool { return strings.HasSuffix(m.Name, ".mean") }

// Metrics is the registry: every metric there is, in reading order. The slice is the caller's.
func Metrics() []Metric { return slices.Clone(registry) }

// Names lists the names of all metrics in the order of [Metrics], for completion and schemas.
func Names() []string {
	names := make([]string, len(registry))
	for i, m := range registry {
		names[i] = m.Name
	}
	return names
}

// Lookup finds a metric by its name.
func Lookup(name string) (Metric, bool) {
	i, ok := index[name]
	if !ok {
		return Metric{}, false
	}
	return registry[i], true
}

// Floor is a figure of the host or of the scenario that a limit can be a multiple of: 3x floor.respawn. All are
// seconds.
type Floor struct {
	Name    string // without the "floor." in front
	Meaning string
}

// Floors lists the floors that a rule may name.
func Floors() []Floor {
	return []Floor{
		{"spawn", "from fork to a child's first byte, raw, measured before the run"},
		{"reap", "from SIGKILL to reaped, raw, measured before the run"},
		{"respawn", "from SIGKILL to a replacement's first byte, raw, measured before the run; and the boot of one " +
			"worker, measured too, where a command starts it"},
		{"ideal", "the wall time of the load's count of tasks on the target's members, not before the last is due at " +
			"its rate, if nothing went wrong"},
		{"heartbeat", "within which the target says that it detects a member that does not move"},
		{"grace", "the time that the target gives a member to stop before SIGKILL"},
	}
}
