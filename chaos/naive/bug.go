// Package naive is a deliberately simple process pool with bugs that can be switched on. It is the target that shows that
// the checks work: without bugs every scenario passes on it, and for each bug some scenario fails. Never use it for work.
package naive

import (
	"fmt"
	"slices"
	"strings"
)

// Bug is one way in which a pool can break its promises.
type Bug string

// The bugs, after defects of pools in daily use. [Bug.Doc] says what each does.
const (
	NoRespawn     Bug = "no-respawn"
	DropsInFlight Bug = "drops-in-flight"
	RunsTwice     Bug = "runs-twice"
	WrongValue    Bug = "wrong-value"
	LiesAboutSize Bug = "lies-about-size"
	DeadAfterKill Bug = "dead-after-kill"
	Collateral    Bug = "collateral"
	Orphans       Bug = "orphans"
	Zombies       Bug = "zombies"
	SlowRecovery  Bug = "slow-recovery"
	RerunsDone    Bug = "reruns-done"
	BlamesOthers  Bug = "blames-others"
)

var docs = map[Bug]string{
	NoRespawn:     "a dead worker is not replaced",
	DropsInFlight: "the task of a dead worker never settles",
	RunsTwice:     "some tasks are run on two workers at once",
	WrongValue:    "after a death the next value is off by one",
	LiesAboutSize: "a dead worker is not replaced, and still listed",
	DeadAfterKill: "after a death the size is back, the pid is new, and nothing answers",
	Collateral:    "a death takes another worker with it",
	Orphans:       "what workers started, and the workers, outlive the pool",
	Zombies:       "dead workers are not reaped",
	SlowRecovery:  "a replacement takes three seconds",
	RerunsDone:    "a death runs again what the dead worker had finished",
	BlamesOthers:  "a death fails the task of a worker that lives",
}

// Doc says what a pool with the bug does, "" for one that there is not.
func (b Bug) Doc() string { return docs[b] }

// Bugs lists every bug.
func Bugs() []Bug {
	return []Bug{
		NoRespawn, DropsInFlight, RunsTwice, WrongValue, LiesAboutSize, DeadAfterKill, Collateral, Orphans, Zombies,
		SlowRecovery, RerunsDone, BlamesOthers,
	}
}

// ParseBugs checks names of bugs.
func ParseBugs(names []string) ([]Bug, error) {
	bugs := make([]Bug, len(names))
	for i, n := range names {
		bugs[i] = Bug(n)
		if !slices.Contains(Bugs(), bugs[i]) {
			return nil, fmt.Errorf("unknown bug %q: known are %s", n, strings.Join(bugNames(), ", "))
		}
	}
	return bugs, nil
}

func bugNames() []string {
	var names []string
	for _, b := range Bugs() {
		names = append(names, string(b))
	}
	return names
}
