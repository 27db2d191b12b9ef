// Package reexec starts this program again as something else than the program itself: a pool's worker, a guardian, and
// what else the table of roles has. A marker in the environment says which, and Main, the first statement of func main,
// turns the process into that. Nothing here acts by itself: a program that never calls Main starts none of these
// processes, since each would run the program's own main, which would start the next.
package reexec

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Program is the executable that this process runs, whatever has become of its file.
const Program = "/proc/self/exe"

// Pool is the variable that every descendant of a pool's workers has in its environment: the pool's id, by which
// orphans are found.
const Pool = "RESPAWN_POOL"

// Entry is the environment entry of the descendants of the pool with that id.
func Entry(id string) string { return Pool + "=" + id }

// ErrMainNotCalled is the error of a start in a process in which Main has not run.
var ErrMainNotCalled = errors.New(
	"pool: Main was not called: make pool.Main() the first statement of func main (in tests: of TestMain)")

// Role is one thing that a process of this program can be.
type Role struct {
	Env  string // the marker: the name of a variable, whose value is the role's own affair
	what string
	host bool // it may start processes of other roles
	run  func(value string)
}

// The roles.
var (
	Guardian = &Role{Env: "RESPAWN_GUARDIAN", what: "a guardian"}
	Protocol = &Role{Env: "RESPAWN_PROTOCOL", what: "a worker of another language"}
	Worker   = &Role{Env: "RESPAWN_WORKER", what: "a pool's worker"}
	Hog      = &Role{Env: "RESPAWN_HOG", what: "a hog of memory"}
	Driver   = &Role{Env: "RESPAWN_DRIVER", what: "a driver around a pool", host: true}
	Part     = &Role{Env: "RESPAWN_FLEET_PART", what: "a broker or node of a fleet", host: true}
	Floor    = &Role{Env: "RESPAWN_FLOOR", what: "a child that is measured"}
	Fetcher  = &Role{Env: "RESPAWN_FETCHER", what: "the worker of the bare engine that a fleet is measured against"}

	table = []*Role{Guardian, Protocol, Worker, Hog, Driver, Part, Floor, Fetcher} // in the order in which Main looks
)

var (
	called  atomic.Bool          // Main has run in a process that may start others
	serving atomic.Pointer[Role] // what this process is, once Main has found out; nil: the program itself
)

// Serve says what a process in this role does: run is called by Main, with the marker's value, and is the process's
// whole life. It returns something so that it can stand in a package-level variable, and panics when the role is served
// already.
func (r *Role) Serve(run func(value string)) struct{} {
	if r.run != nil {
		panic("reexec: " + r.what + " is served twice")
	}
	r.run = run
	return struct{}{}
}

// Main turns this process into what its marker says, and then never returns; without one it does nothing but remember
// that it was called. The marker is removed from the environment first: what the process starts is not in that role.
func Main() {
	for _, r := range table {
		if value := os.Getenv(r.Env); value != "" && r.run != nil {
			os.Unsetenv(r.Env)
			serving.Store(r)
			called.Store(r.host)
			r.run(value)
			os.Exit(0)
		}
	}
	called.Store(true)
}

// Marked tells whether this process bears the role's marker, which Main removes.
func (r *Role) Marked() bool { return os.Getenv(r.Env) != "" }

// Is tells whether Main has turned this process into one of that role.
func (r *Role) Is() bool { return serving.Load() == r }

// Check tells why this process may not start itself again, which matches ErrMainNotCalled; nil if it may. One that was
// itself started so and did not become what its marker says may not: it would be the second of an endless row.
func Check() error {
	if r := serving.Load(); r != nil && !r.host {
		return fmt.Errorf("%w; and this process is %s, which starts no others", ErrMainNotCalled, r.what)
	}
	if !called.Load() {
		return ErrMainNotCalled
	}
	for _, r := range table {
		if r.Marked() {
			return fmt.Errorf("%w; or this program cannot be %s, which %s in its environment says that this process "+
				"is: unset it to run the program itself",
				ErrMainNotCalled, r.what, r.Env)
		}
	}
	return nil
}

// Marker is the environment entry by which a copy of this program takes the role, or Check's error. Whoever starts one
// needs it.
func (r *Role) Marker(value string) (string, error) {
	if err := Check(); err != nil {
		return "", err
	}
	return r.Env + "=" + value, nil
}

// SetName names this process for ps and top, which would show "exe". The kernel keeps 15 bytes (proc(5),
// /proc/PID/comm).
func SetName(name string) { _ = os.WriteFile("/proc/self/comm", []byte(name), 0) }
