//go:build race

package chaos_test

// raceEnabled tells that this binary, and the workers made from it, run under the race detector: its shadow memory is
// several times the program's own, and a program that cannot have it ends with exit code 66 and not as Go's allocator
// does.
const raceEnabled = true
