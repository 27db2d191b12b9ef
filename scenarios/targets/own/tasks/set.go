package tasks

import "github.com/respawn-go/respawn/pool"

// Set is the tasks of the harness, for workers of one kind.
type Set struct {
	Work   map[string]pool.Task[Work, Answer] // the built-in ones
	Probe  pool.Task[uint64, Answer]
	Stress pool.Task[Strain, Strained]
	Poison pool.Task[int, int]
	Driven pool.Task[Driven, int64]
}

// ours run in this program, theirs in workers of another language, which have them from package workers.
var ours, theirs = func() (ours, theirs Set) {
	ours = Set{map[string]pool.Task[Work, Answer]{}, probe, stress, poison, drive}
	theirs = Set{
		map[string]pool.Task[Work, Answer]{},
		pool.External[uint64, Answer]("respawn.probe"), pool.External[Strain, Strained]("respawn.stress"),
		pool.External[int, int]("respawn.poison"), pool.External[Driven, int64]("respawn.driven"),
	}
	for name, b := range Builtins {
		ours.Work[name], theirs.Work[name] = b.Task, pool.External[Work, Answer]("respawn."+name)
	}
	return ours, theirs
}()

// For is the tasks of workers that the command starts; without one they are this program.
func For(command []string) *Set {
	if command == nil {
		return &ours
	}
	return &theirs
}
