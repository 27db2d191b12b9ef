// Package faults has the kinds of harm that can be done to a target: a file for each, and a row of the table.
package faults

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

// Kind is one row of the table of faults: what the documentation, the scenario format and "respawn list" say of it. To
// add a fault, write its type in a file of its own and add a row.
type Kind struct {
	Name    string // as in a scenario: "signal". Lower-case letters alone, and what the type's String begins with
	Doc     string // what happens, one sentence
	Receipt string // what counts as evidence
	Needs   string // the interface of package chaos that the target must have, by its name; "" for none
	// Zero is of its type: a struct whose fields are its parameters. Those with a yaml tag can be set in a scenario, by
	// the tags of the format (scenarios.decoder). An int there is a count, an int64 bytes, a float64 a share of 1, a
	// bool a switch.
	Zero chaos.Fault
}

// table is in reading order.
var table = []Kind{
	{
		"signal", "Send the victim a signal.", "the wait status shows it; for TERM and the like, how the victim ended",
		"",
		Signal{},
	},
	{"pause", "SIGSTOP, and SIGCONT after a while.", "state T of every thread until SIGCONT or death", "", Pause{}},
	{
		"freeze", "Stop every member at one moment, and continue them all after a while.",
		"state T of every thread of each until SIGCONT or death", "",
		Freeze{},
	},
	{
		"oom", "Exhaust the victim's memory until the kernel's OOM killer, or a limit, ends it.",
		"wait status SIGKILL and the cgroup's oom_kill +1; by rlimit the message of the allocator or the runtime",
		"Stresser",
		OOM{},
	},
	{
		"memory", "Hold the victim's memory near its limit without ending it.",
		"the cgroup's usage over the time, oom_kill +0", "Stresser",
		Memory{},
	},
	{"cpu", "Throttle the victim's CPU.", "the cgroup's nr_throttled grew", "", CPU{}},
	{"fds", "Use up the victim's file descriptors.", "EMFILE, as the victim saw it", "Stresser", FDs{}},
	{
		"pids", "Use up the processes that the victim may have.",
		"EAGAIN, as the victim saw it, and the cgroup's count of refusals", "Stresser",
		PIDs{},
	},
	{
		"exit", "Make the victim exit in the middle of a task.", "its wait status, and the line it writes before",
		"Stresser",
		Exit{},
	},
	{
		"panic", "Make the victim's program panic where nothing recovers it.",
		"its wait status, and the message on its stderr", "Stresser",
		Panic{},
	},
	{
		"crashpoint", "Make the victim kill itself at an exact point of its protocol loop.",
		"its wait status, and the line with the point's name", "Crasher",
		Crashpoint{},
	},
	{
		"spawn", "Make new members fail to boot, or boot slowly.",
		"so many boots failed, or were slow", "Booter",
		Spawn{},
	},
	{
		"poison", "Submit a task that ends its member each time it runs.", "the wait statuses of those that died of it",
		"Poisoner",
		Poison{},
	},
	{
		"supervisor",
		"End the parent of all members, or stop it for a while; with tree all that descends from it, too.",
		"the parent is gone, a census of the descendants that it left and of the ports that they hold, and what " +
			"becomes of one that is started again; of a pause, state T", "Supervised",
		Supervisor{},
	},
	{"resize", "Change the target's size.", "as many members were ready", "Operator", Resize{}},
	{
		"restart", "Replace every member, one after the other.", "none of the processes from before is a member",
		"Restarter",
		Restart{},
	},
	{
		"close", "Close the target: finish what is queued, then stop.", "it returned in time, and no process is left",
		"Operator",
		Close{},
	},
	{"terminate", "Stop the target now.", "it returned in time, and no process is left", "Operator", Terminate{}},
	{
		"stepdown", "Take the lead from the broker that has it, and leave it alive.",
		"another one leads", "Harmer",
		Stepdown{},
	},
	{
		"amnesia", "End the victim and take from it what it had stored before it starts again.",
		"its end, and what it had stored before and after", "Harmer",
		Amnesia{},
	},
	{
		"cut", "Keep back for a while what the victim and the others send to each other.",
		"the bytes that were kept back", "Harmer",
		Cut{},
	},
	{
		"slow", "Delay for a while what the victim and the others send to each other.",
		"the bytes that were delayed", "Harmer",
		Slow{},
	},
	{
		"fill", "Fill the disk on which the victim keeps what it stores, for a while.",
		"writes that the system refused for lack of room (ENOSPC), and the bytes that were free before, then and after",
		"Harmer",
		Fill{},
	},
	{
		"redeliver", "Have the broker hand out once more what somebody has.", "the tasks that it counts as redelivered",
		"Harmer",
		Redeliver{},
	},
	{
		"cancel", "Submit tasks that would run for ever, and cancel them all.",
		"as many that ended as cancelled", "Harmer",
		Cancel{},
	},
}

// Kinds lists the built-in faults.
func Kinds() []Kind { return slices.Clone(table) }

// but is a parameter in the one-line form of a fault, "" where it is left to its default.
func but(name string, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " " + name + " " + d.String()
}
