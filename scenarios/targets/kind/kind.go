// Package kind says what a kind of target is to everything that names one: a row of the table in package targets.
package kind

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// Kind is one kind of target. The scenario format, its schema and page, validation, settings such as --set
// target.NAME.size=4, respawn list and respawn matrix read it from here.
type Kind struct {
	// Name is the key below target in a scenario, and history.Target.Kind.
	Name string
	// Doc is what it is, in one sentence.
	Doc string
	// New makes settings for a scenario file to fill: a pointer to a struct whose fields have the tags of the format.
	New func() Settings
	// Spawns tells that it starts a program that the scenario names, which --no-exec forbids.
	Spawns bool
	// Tools are the programs that its targets start by name and that may not be installed: respawn doctor looks for
	// them.
	Tools []foreign.Tool
	// Can is what its targets can do.
	Can Can
	// Page is the documentation of what its targets may leave out, for those who read that they lack something; "" for
	// none.
	Page string
	// Known lists the targets of the kind that can be told apart by a name alone, for respawn matrix; nil for none.
	Known func(Files) []Known
}

// Can is what targets of a kind can do, as far as a scenario can be checked without one that is up.
type Can struct {
	// All tells that nothing is refused beforehand: the rest is not looked at.
	All bool
	// Abilities are the capabilities that they have, by the names of the interfaces of package chaos:
	// faults.Kind.Needs.
	Abilities []string
	// Faults are those that they can have, of those for which they have the ability; nil for all of these.
	Faults []string
	// Roles are those that members have, of chaos.Node, chaos.Broker and chaos.Owner; nil where all are alike.
	Roles []string
	// Tasks are the built-in tasks that they can run.
	Tasks []string
	// Map tells that they have an ordered map.
	Map bool
	// Attaches tells that they run already, are not the harness's, and are struck only with consent.
	Attaches bool
	// Calls tells that their load is calls, which name the process that answers only where the scenario says how.
	Calls bool
}

// Settings are what a scenario says of its target. Settings that can tell more also implement Stopper, Timed,
// Careful, Limited or Runner.
type Settings interface {
	// Members is how many members the target is to have, 0 if the settings do not say.
	Members() int
	// Check tells what is missing, impossible or contradictory in settings whose every value is well-formed by itself:
	// of a key, or with "" of them all.
	Check(fail func(key, format string, args ...any))
	// Open starts the target. ctx bounds that.
	Open(ctx context.Context, at Place) (*Opened, error)
}

// Stopper are settings of a target whose members have a time to stop in: floor.grace.
type Stopper interface {
	Grace() time.Duration
}

// Timed are settings of a target that ends tasks which run too long.
type Timed interface {
	TaskLimit() time.Duration // 0: it does not
}

// Looker are settings of a target that runs already, which can be looked at before anybody consents.
type Looker interface {
	Look() (Seen, error)
}

// Careful are settings of a target of which so many members stay alive unless the scenario says otherwise: min_alive.
type Careful interface {
	MinAlive() int
}

// Ranged are settings of a target that itself changes how many members there are, from Members to so many.
type Ranged interface {
	Most() int // Members where the number is one; 0 if the settings do not say
}

// Limited are settings with which a target cannot have all that others of its kind can.
type Limited interface {
	// Refuses says why such a target cannot have that fault, or not in that phase of a victim; "" if it can. One of
	// both is "".
	Refuses(fault, phase string) (why string)
}

// Runner are settings that may name a program to start, as those of a kind that Spawns always do.
type Runner interface {
	Runs() bool
}

// Place is where a target is started.
type Place struct {
	// Dir is a scratch directory that lives as long as the run.
	Dir string
	// File is the directory that paths in the scenario are relative to; "" for this process's own.
	File string
	// Load is the calls of the scenario's load, a calls.Spec; that of no call where the load is built-in tasks, or
	// there is none. It is no field of that type because package calls links net/http, for which every worker that
	// links this one would wait.
	Load any
	// Consent is asked before anything is done to processes that somebody else started. It returns how consent was
	// given, for the record, or why not. nil: nobody consents.
	Consent func(Seen) (how string, err error)
}

// Seen is processes that somebody else started, as they are found before anything is done to them.
type Seen struct {
	// What is how they were found: "the children of the main process 123 (nginx)".
	What string
	// Members are those that may become victims.
	Members []procfs.Identity
}

// Opened is a target that is up.
type Opened struct {
	chaos.Target
	// Consent is how it was consented that processes of others are struck; "" where there are none.
	Consent string
	// Witness is the file in which tasks record their executions; "" without one.
	Witness string
	// Boot is how long this host takes to boot one member, measured, where that is more than a process's start; else 0.
	Boot time.Duration
	// Closing ends the target as a part of the run, which judges that.
	Closing func() error
	// End sees to it that nothing of the target is left, whatever became of the run. It is always called, after Closing
	// too.
	End func() error
}

// Files are the directories with what known targets are started from.
type Files struct {
	Drivers  string // of package drivers
	Programs string // of package programs
}

// The families of known targets: those of one are put through the same scenarios.
const (
	Pools       = "pools"
	Servers     = "servers"
	Supervisors = "supervisors"
	Fleets      = "fleets"
)

// Known is a target with a name.
type Known struct {
	// Family is one of the families. No two targets of a family have one name.
	Family string
	// Name is short, for command lines.
	Name string
	// Pool is what is tested.
	Pool string
	// Settings are those of a scenario, as YAML has them, but for the size; nil for the settings of the scenario
	// itself.
	Settings map[string]any
	// Size is the key of the settings that says how many members there are; "" for size.
	Size string
	// Load is what replaces the scenario's load, as YAML has it, but for the rate; nil for the scenario's own.
	Load map[string]any
}

// UnfitError says that a target keeps too little of what is asked of its kind, or of the truth, to be tested.
type UnfitError struct {
	Target string // "the driver of loky"
	Err    error
}

func (e *UnfitError) Error() string { return e.Target + " cannot be a target: " + e.Err.Error() }

func (e *UnfitError) Unwrap() error { return e.Err }
