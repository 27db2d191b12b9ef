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

// The bugs, after defects of pools in daily use.
const (
	NoRespawn     Bug = "no-respawn"      // a dead worker is not replaced
	DropsInFlight Bug = "drops-in-flight" // the task of a dead worker never settles
	RunsTwice     Bug = "runs-twice"      // some tasks are run on two workers at once
	WrongValue    Bug = "wrong-value"     // after a death the next value is off by one
	LiesAboutSize Bug = "lies-about-size" // a dead worker is not replaced, and still listed
	DeadAfterKill Bug = "dead-after-kill" // after a death the size is back, the pid is new, and nothing answers
	Collateral    Bug = "collateral"      // a death takes another worker with it
	Orphans       Bug = "orphans"         // what workers started, and the workers, outlive the pool
	Zombies       Bug = "zombies"         // dead workers are not reaped
	SlowRecovery  Bug = "slow-recovery"   // a replacement takes three seconds
	RerunsDone    Bug = "reruns-done"     // a death runs again what the dead worker had finished
	BlamesOthers  Bug = "blames-others"   // a death fails the task of a worker that lives
)

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
