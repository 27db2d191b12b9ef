package check

// promises are what every scenario requires without saying so: that these metrics are 0. A rule about the same metric
// under expect or require takes a promise's place. They are in the order in which one's breach explains another's.
var promises = []struct {
	metric  string
	applies func(*state) bool // nil: always
}{
	{"exits.unexplained", nil},
	{"exits.collateral", nil},
	{"slots.silent", nil},
	{"blame.bystanders", (*state).hasWitness},
	{"results.rejected", (*state).hasEvents},
	{"tasks.outside", (*state).hasRuns},
	{"results.misnamed", (*state).hasRuns},
	{"tasks.wrong", (*state).hasLoad},
	{"tasks.duplicated", (*state).hasLoad},
	{"tasks.lost", (*state).hasLoad},
	{"tasks.hung", (*state).hasLoad},
	{"tasks.failed", (*state).hasLoad},
	{"tasks.unwitnessed", func(s *state) bool { return s.hasWitness() && s.evidence.torn == 0 }},
	{"processes.orphaned", (*state).hasMarker},
	{"processes.zombies", nil},
	{"cgroups.leaked", func(s *state) bool { return s.looks.cgroups }},
	{"slots.lost", nil},
	{"pool.missing", func(s *state) bool { return !s.faults.endedParent(s.now) }},
}

// Promises lists the metrics that must be 0 in every scenario that does not say otherwise.
func Promises() []string {
	names := make([]string, len(promises))
	for i, p := range promises {
		names[i] = p.metric
	}
	return names
}

func (s *state) hasWitness() bool { return s.can("witness") && s.hasLoad() }
func (s *state) hasRuns() bool    { return s.executions() > 0 }
func (s *state) hasLoad() bool    { return s.h.Load != nil || s.load.count > 0 }
func (s *state) hasEvents() bool  { return s.can("events") || s.crew.events > 0 }
func (s *state) hasMarker() bool  { return s.can("marker") }
