package driver

import (
	"context"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios/drivers"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Row is the row of pools behind a driver.
var Row = kind.Kind{
	Name:   "driver",
	Doc:    "A pool written elsewhere, wrapped by a program that speaks the driver protocol (docs/drivers.md).",
	New:    func() kind.Settings { return &Settings{} },
	Spawns: true,
	Tools: []foreign.Tool{
		{
			Name: "python3", Version: []string{"--version"}, Install: "apt-get install python3",
			Use: "drivers of CPython's pools, workers in Python, and the comparison in bench",
		},
		{
			Name: "node", Version: []string{"--version"}, Install: "apt-get install nodejs",
			Use: "drivers of Node's pools, and workers in JavaScript",
		},
	},
	Can:  kind.Can{Abilities: []string{"Supervised", "Harmer"}, Tasks: []string{"sleep", "square"}},
	Page: "docs/drivers.md",
	Known: func(files kind.Files) (list []kind.Known) {
		for _, d := range drivers.All() {
			list = append(list, kind.Known{
				Family: kind.Pools, Name: d.Name, Pool: d.Pool,
				Settings: map[string]any{"command": d.Argv(files.Drivers)},
			})
		}
		for _, d := range drivers.Fleets() {
			list = append(list, kind.Known{
				Family: kind.Fleets, Name: d.Name, Pool: d.Pool,
				Settings: map[string]any{"command": d.Argv(files.Drivers)},
			})
		}
		return list
	},
}

// Settings is a pool behind a driver program.
type Settings struct {
	Command []string    `yaml:"command" doc:"The driver and its arguments; never a shell. A relative path is relative to the file."`
	Size    units.Count `yaml:"size" zero:"no pool: want at least 1" doc:"Workers."`
	Places  units.Count `yaml:"places" zero:"nobody works: want at least 1" doc:"Tasks that each worker runs at a time. Default: 1."`
}

// Members implements kind.Settings.
func (s *Settings) Members() int { return int(s.Size) }

// Check implements kind.Settings.
func (s *Settings) Check(fail func(key, format string, args ...any)) {
	if len(s.Command) == 0 {
		fail("", "command is missing: want the driver's program and its arguments as a list")
	}
}

// Open implements kind.Settings.
func (s *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	return OpenTarget(ctx, Command{Argv: s.Command, Dir: at.File, Size: max(int(s.Size), 1), Places: int(s.Places)},
		at.Dir)
}

// OpenTarget is StartTarget, for a scenario.
func OpenTarget(ctx context.Context, c Command, dir string) (*kind.Opened, error) {
	d, err := StartTarget(ctx, c, dir)
	if err != nil {
		return nil, err
	}
	return &kind.Opened{Target: d, Witness: d.Witness(), Closing: d.Close, End: d.Close}, nil
}
