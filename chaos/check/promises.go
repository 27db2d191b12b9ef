package check

import (
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/units"
)

// promises are what every scenario requires without saying so: that these metrics are 0. A rule about the same metric
// under expect takes a promise's place, see [Rule.Fits]. They are in the order in which one's breach explains
// another's.
var promises = []struct {
	metric  string
	applies func(*state) bool // nil: always
	proven  func(*state) bool // nil: always; else a breach that is not proves nothing
}{
	{"exits.unexplained", nil, nil},
	{"exits.collateral", nil, nil},
	{"exits.unlisted", func(s *state) bool { return s.Can("forks") }, nil},
	{"slots.silent", nil, nil},
	{"blame.bystanders", (*state).hasWitness, nil},
	{"results.rejected", (*state).hasEvents, nil},
	{"tasks.outside", (*state).hasRuns, nil},
	{"tasks.overlapping", (*state).OneAtATime, nil},
	{"results.misnamed", (*state).hasRuns, nil},
	{"tasks.early", (*state).Timed, nil},
	{"tasks.wrong", (*state).hasLoad, nil},
	{"tasks.duplicated", func(s *state) bool { return s.hasLoad() || s.Tasks.Sums.Duplicated > 0 }, nil},
	{"tasks.lost", (*state).hasLoad, nil},
	{"tasks.hung", (*state).hasLoad, nil},
	{"tasks.failed", (*state).hasLoad, nil},
	{"tasks.unwitnessed", func(s *state) bool { return s.hasWitness() && s.Evidence.Torn == 0 }, nil},
	{"fleet.left", (*state).hasAccount, nil},
	{"fleet.abandoned", (*state).hasAccount, nil},
	{"processes.orphaned", (*state).hasMarker, nil},
	{
		"processes.left", func(s *state) bool { return s.LeftBehind().Samples > 0 && !s.Injections.EndedParent(s.Now) },
		nil,
	},
	{"processes.zombies", nil, nil},
	{"cgroups.leaked", func(s *state) bool { return s.Looks.Cgroups }, nil},
	{"slots.lost", nil, nil},
	{"slots.apart", (*state).AskedTogether, (*state).AskedForLong},
	{"slots.slow", (*state).TimedTogether, (*state).AskedForLong},
	{"slots.throttled", (*state).Paced, (*state).QueuedForLong},
	{"pool.missing", func(s *state) bool { return !s.Injections.EndedParent(s.Now) }, nil},
	{"pool.surplus", func(s *state) bool { return s.Ranged() && !s.Injections.EndedParent(s.Now) }, nil},
}

// The target recovers in the time that it is given: settle.time is at most settle, where the record says how long that
// is.
func (v *verdict) judgeSettleTime() {
	limit := v.s.Header.Settle
	if limit == 0 || v.s.Injections.EndedParent(v.s.Now) {
		return
	}
	text := "settle.time <= " + units.Duration(limit).String()
	v.judge(history.Rule{Group: "promise", Text: text, Metric: "settle.time", Op: "<=", Limit: limit.Seconds()}, Fail)
}

// Promises lists the metrics that must be 0 in every scenario that does not say otherwise.
func Promises() []string {
	names := make([]string, len(promises))
	for i, p := range promises {
		names[i] = p.metric
	}
	return names
}

func (s *state) hasWitness() bool { return s.Can("witness") && s.hasLoad() }
func (s *state) hasRuns() bool    { return s.Executions() > 0 }
func (s *state) hasLoad() bool    { return s.Header.Load != nil || s.Load.Count > 0 }
func (s *state) hasEvents() bool  { return s.Can("events") || s.Members.Events > 0 }
func (s *state) hasMarker() bool  { return s.Can("marker") }
