package procfs

import (
	"maps"
	"slices"
)

// Calls are the names of the system calls that InCall knows: those in which a process may wait. Others last too short a
// time to be seen.
func Calls() []string { return slices.Sorted(maps.Keys(calls)) }
