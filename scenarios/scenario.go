package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/scenarios/targets/calls"

	"go.yaml.in/yaml/v4"
)

// Scenario is one experiment: a target under load, the faults that are injected into it, and what must hold. It is read
// from YAML by [Parse]; docs/scenario-format.md is made from the tags here.
type Scenario struct {
	Name        string      `yaml:"name" doc:"Identifies the scenario: lower-case letters, digits and dashes, at most 63."`
	Description string      `yaml:"description" doc:"What happens and what it shows, for people."`
	Labels      []string    `yaml:"labels" enum:"signal oom resource lifecycle slow external fleet" doc:"For choosing scenarios: signal, oom, resource, lifecycle, slow, external, fleet."`
	Seed        uint64      `yaml:"seed" zero:"no seed: want at least 1" doc:"Makes the plan repeatable: times, and which slots are struck, from 1; see docs/chaos.md. Default 1; --seed overrides it."`
	Target      Target      `yaml:"target" doc:"What is tested: one of the keys below."`
	Load        *Load       `yaml:"load" doc:"The tasks that run meanwhile. Without it the target is idle."`
	Steady      []Condition `yaml:"steady" doc:"Conditions that must hold before the first fault, again within settle after the last, and from then on at every look."`
	Chaos       []Nemesis   `yaml:"chaos" doc:"The faults, each list entry on a schedule of its own, side by side."`
	Settle      Duration    `yaml:"settle" zero:"no time to recover: want a time such as 5s" doc:"How long the target may take to recover after the last fault: longer is FAIL. And a task to end after that. Default 10s."`
	Expect      []Condition `yaml:"expect" doc:"Conditions on the whole run. A metric named here replaces the implicit promise about it; allow in front lets it ask for less."`
	Abort       []Condition `yaml:"abort" doc:"Conditions that end the run early, as FAIL."`
	MinAlive    Count       `yaml:"min_alive" doc:"No fault may leave fewer members alive: such injections are refused. Default 0."`
	Timeout     Duration    `yaml:"timeout" zero:"no time to run: want a time such as 1m" doc:"Bounds the whole run: one that is not over then is INCONCLUSIVE, or FAIL if tasks hang. Default 5m."`
	Needs       []string    `yaml:"needs" enum:"memory-cgroup pids-cgroup cpu-cgroup cgroups root swap-off" doc:"What the host must offer; without it the run is skipped by name."`
	Short       Overrides   `yaml:"short" doc:"What the short form changes: dotted paths to any of the keys above."`

	file string
	text []byte
	at   map[string]*yaml.Node
}

// Argument is what names the scenario on the command line of respawn run: its file as it was given, or its name in the
// library.
func (s *Scenario) Argument() string {
	if name, ok := strings.CutPrefix(s.file, "library/"); ok &&
		slices.Contains(Library(), strings.TrimSuffix(name, ".yaml")) {
		return strings.TrimSuffix(name, ".yaml")
	}
	return s.file
}

// Streamed tells whether the scenario came from what can be read only once, such as standard input: its text is in the
// history.
func (s *Scenario) Streamed() bool { return isStream(s.file) }

// HasShort tells whether the scenario has a short form.
func (s *Scenario) HasShort() bool { return s.Short.node != nil }

// Repeat is the command line that runs the scenario of that argument again; a seed of 0 is the scenario's own.
func Repeat(argument string, seed uint64, o Options) string {
	words := []string{"respawn", "run", QuotedPath(argument)}
	if seed != 0 {
		words = append(words, fmt.Sprintf("--seed %d", seed))
	}
	if o.Short {
		words = append(words, "--short")
	}
	for _, s := range o.Set {
		words = append(words, "--set", Quoted(s))
	}
	if o.Attach {
		words = append(words, "--attach")
	}
	if o.Remote {
		words = append(words, "--remote")
	}
	return strings.Join(words, " ")
}

// Quoted is a word as a shell would have it.
func Quoted(s string) string {
	if strings.ContainsAny(s, " \t\n'\"\\$`*?[]{}()<>|&;!#~") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// QuotedPath is the name of a file as a shell, and a command with flags, would have it.
func QuotedPath(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return Quoted(path)
}

// Load is the tasks that run during the scenario.
type Load struct {
	Task        string      `yaml:"task" enum:"sleep square hash primes echo alloc" doc:"Built-in and verifiable: sleep, square, hash, primes, echo, alloc. Or, for targets that run no tasks, one of http, tcp and exec."`
	HTTP        *calls.HTTP `yaml:"http" doc:"A task is an HTTP request."`
	TCP         *calls.TCP  `yaml:"tcp" doc:"A task is a line sent to a TCP port, and the line that comes back."`
	Exec        *calls.Exec `yaml:"exec" doc:"A task is a program that is run: a client of the target."`
	Args        TaskArgs    `yaml:"args" doc:"The task's arguments."`
	Concurrency Count       `yaml:"concurrency" zero:"no load: want at least 1" doc:"Closed loop: so many callers, each with one task at a time, from 1. Default 1 without rate and map."`
	Rate        Rate        `yaml:"rate" zero:"no load: want at least 1" doc:"Open loop: so many submissions per second, whatever comes back. Default: a closed loop."`
	Count       Count       `yaml:"count" zero:"no load: want at least 1" doc:"Stop after so many tasks, and wait for them. Default: until the faults are over."`
	Map         Count       `yaml:"map" zero:"no load: want at least 1" doc:"One ordered map over so many inputs instead of single calls. Default: single calls."`
	Warmup      Duration    `yaml:"warmup" doc:"Load before the first fault, before steady is judged; goes with neither count nor map. Default: none."`
}

// TaskArgs is the arguments of the built-in tasks; each takes some of them.
type TaskArgs struct {
	Duration Duration `yaml:"duration" doc:"sleep: how long. Default: no time."`
	Rounds   Count    `yaml:"rounds" doc:"hash: SHA-256 rounds. Default 0."`
	Below    Count    `yaml:"below" doc:"primes: counts the primes below it. Default 0."`
	Bytes    Bytes    `yaml:"bytes" doc:"echo: payload; alloc: memory to touch. Default 0B."`
	Keep     bool     `yaml:"keep" doc:"alloc: leak it. Default false."`
}

// Nemesis is one entry of the chaos list.
type Nemesis struct {
	Fault   Fault   `yaml:"fault" doc:"What is done to the victim: exactly one key."`
	Pick    Pick    `yaml:"pick" doc:"Who is the victim, of a fault that strikes members. Default: one at random."`
	When    When    `yaml:"when" doc:"When. Default: once, at once."`
	Require Require `yaml:"require" doc:"Without so much the run proves nothing."`
}

// Require is what a nemesis must reach for the run to count.
type Require struct {
	Confirmed Count `yaml:"confirmed" zero:"no proof: want at least 1" doc:"Injections confirmed by evidence. Default 1."`
}

// Pick chooses victims. At most one of random, percent, all, oldest, newest, slot, each is set.
type Pick struct {
	Random  Count   `yaml:"random" zero:"nobody: want at least 1" doc:"So many members at random."`
	Percent Percent `yaml:"percent" zero:"nobody: want more" doc:"This share of the members at random, rounded up."`
	All     bool    `yaml:"all" zero:"nobody: want true" doc:"Every member at once."`
	Oldest  Count   `yaml:"oldest" zero:"nobody: want at least 1" doc:"The members that have lived longest."`
	Newest  Count   `yaml:"newest" zero:"nobody: want at least 1" doc:"The members that were started last."`
	Slot    *Count  `yaml:"slot" doc:"The member in this slot, from 0."`
	Each    bool    `yaml:"each" zero:"nobody: want true" doc:"Slot after slot, one each time."`
	Role    string  `yaml:"role" enum:"node broker owner" doc:"Of a fleet: the nodes, which run tasks, the brokers, or other owners beside the load's. Default: those that run tasks."`
	State   string  `yaml:"state" enum:"idle busy starting ready" doc:"Only members that are idle, busy, starting or ready."`
	In      string  `yaml:"in" doc:"Only members that wait in this system call, such as read, accept4 or futex: seen in it, stopped, looked at again, then struck. Takes the right to trace them."`
	Phase   string  `yaml:"phase" enum:"booting idle reading running writing draining leader follower catching-up" doc:"Hit in exactly this phase: stop, look, then strike, or let go and count it as missed. The last three are of brokers, and looked up alone."`
}

// When is a schedule: once, every, poisson, burst or sequence.
type When struct {
	After    Duration   `yaml:"after" doc:"Wait so long before the first."`
	Every    Duration   `yaml:"every" zero:"no rhythm: want a time between two faults, such as 200ms" doc:"One after another, so long apart."`
	Jitter   Percent    `yaml:"jitter" doc:"Spread each pause by up to this much either way."`
	Poisson  Rate       `yaml:"poisson" zero:"never: want a rate such as 5/s" doc:"At random, at this mean rate."`
	Burst    Count      `yaml:"burst" zero:"never: want at least 1" doc:"So many at once, each time."`
	Sequence []Duration `yaml:"sequence" zero:"never: want at least one time" doc:"At exactly these times."`
	For      Duration   `yaml:"for" zero:"no time: want a time such as 10s" doc:"Over this long."`
	Times    Count      `yaml:"times" zero:"never: want at least 1" doc:"At most so often."`
}
