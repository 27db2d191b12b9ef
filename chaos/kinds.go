package chaos

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Kind is one row of the table of faults: what the documentation, the scenario schema and "respawn list" say of it. To
// add a fault, write its type in a file of its own and add a row.
type Kind struct {
	Name    string // as in a scenario: "signal"
	Doc     string // what happens, one sentence
	Receipt string // what counts as evidence
	Needs   string // the capability of the target without which it is refused; "" for none
	Zero    Fault  // its type; exported fields with a doc tag are its parameters
}

// kinds is the table, in reading order.
var kinds = []Kind{
	{"signal", "Send the victim a signal.", "the wait status shows it; for TERM and the like, how the victim ended", "", Signal{}},
	{"pause", "SIGSTOP, and SIGCONT after a while.", "state T of every thread until SIGCONT or death", "", Pause{}},
	{"oom", "Exhaust the victim's memory until the kernel's OOM killer, or a limit, ends it.", "wait status SIGKILL and the cgroup's oom_kill +1; by rlimit the message of the allocator or the runtime; by RSS its size", "Stresser", OOM{}},
	{"memory", "Hold the victim's memory near its limit without ending it.", "the cgroup's usage over the time, oom_kill +0", "Stresser", Memory{}},
	{"cpu", "Throttle the victim's CPU.", "the cgroup's nr_throttled grew", "", CPU{}},
	{"fds", "Use up the victim's file descriptors.", "EMFILE, as the victim saw it", "Stresser", FDs{}},
	{"pids", "Use up the processes that the victim may have.", "EAGAIN, as the victim saw it, and the cgroup's count of refusals", "Stresser", PIDs{}},
	{"spawn", "Make new members fail to boot, or boot slowly.", "so many boots failed, or were slow", "Booter", Spawn{}},
	{"exit", "Make the victim exit in the middle of a task.", "its wait status, and the line it writes before", "Stresser", Exit{}},
	{"panic", "Make the victim's program panic where nothing recovers it.", "its wait status, and the message on its stderr", "Stresser", Panic{}},
	{"crashpoint", "Make the victim kill itself at an exact point of its protocol loop.", "its wait status, and the line with the point's name", "Crasher", Crashpoint{}},
	{"poison", "Submit a task that ends its member each time it runs.", "the wait statuses of those that died of it", "Poisoner", Poison{}},
	{"supervisor", "End the parent of all members.", "the parent is gone, and a census of the descendants that it left", "Supervised", Supervisor{}},
	{"resize", "Change the target's size.", "as many members were ready", "Operator", Resize{}},
	{"restart", "Replace every member, one after the other.", "none of the processes from before is a member", "Operator", Restart{}},
	{"close", "Close the target: finish what is queued, then stop.", "it returned in time, and no process is left", "Operator", Close{}},
	{"terminate", "Stop the target now.", "it returned in time, and no process is left", "Operator", Terminate{}},
}

// Kinds lists the built-in faults.
func Kinds() []Kind { return slices.Clone(kinds) }

// kindOf finds the row of a fault; the zero Kind for one that is not built in.
func kindOf(f Fault) Kind {
	for _, k := range kinds {
		if reflect.TypeOf(k.Zero) == reflect.TypeOf(f) {
			return k
		}
	}
	return Kind{}
}

// Param is one parameter of a fault.
type Param struct {
	Name string // as in a scenario: "for"
	Type string // "text", "duration", "count", "bytes", "share"
	Doc  string // meaning, unit, default
}

// Params lists the parameters of the faults of this kind.
func (k Kind) Params() (list []Param) {
	t := reflect.TypeOf(k.Zero)
	for i := range t.NumField() {
		f := t.Field(i)
		if doc := f.Tag.Get("doc"); doc != "" {
			list = append(list, Param{Name: strings.ToLower(f.Name), Type: paramType(f.Type), Doc: doc})
		}
	}
	return list
}

func paramType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Int64:
		return "bytes"
	case t.Kind() == reflect.Int:
		return "count"
	case t.Kind() == reflect.Float64:
		return "share"
	}
	return "text"
}

// Make is the fault of that name with those parameters, by their names; those left out take their defaults. A value has
// the Go type of its field: string, time.Duration, int64 (bytes), int, float64 (a share of 1).
func Make(name string, params map[string]any) (Fault, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no fault %q: want one of %s", name, strings.Join(kindNames(), ", "))
	}
	v := reflect.New(reflect.TypeOf(kinds[i].Zero)).Elem()
	for key, value := range params {
		f := v.FieldByNameFunc(func(field string) bool { return strings.ToLower(field) == key })
		if !f.IsValid() {
			return nil, fmt.Errorf("fault %s has no parameter %q", name, key)
		}
		if reflect.TypeOf(value) != f.Type() {
			return nil, fmt.Errorf("fault %s: parameter %s is a %T, want %s", name, key, value, paramType(f.Type()))
		}
		f.Set(reflect.ValueOf(value))
	}
	fault, _ := v.Interface().(Fault)
	return fault, fault.Validate()
}

// but is a parameter in the one-line form of a fault, "" where it is left to its default.
func but(name string, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " " + name + " " + d.String()
}

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return names
}
