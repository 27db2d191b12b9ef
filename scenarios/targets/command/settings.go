// Package command makes any program that is started for the run into a target: what it starts are the members, by a
// rule, and calls are the load.
package command

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios/programs"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

// Row is the row of programs that are started for the run.
var Row = kind.Kind{
	Name: "command",
	Doc: "Any program that starts members of its own, such as a server or a supervisor: started for the run, and " +
		"ended with it.",
	New:    func() kind.Settings { return &Settings{} },
	Spawns: true,
	Can:    kind.Can{Abilities: []string{"Supervised", "Restarter"}, Calls: true},
	Page:   "docs/attach.md",
	Known: func(files kind.Files) (list []kind.Known) {
		for _, row := range programs.All() {
			list = append(list, kind.Known{
				Family: row.Family, Name: row.Name, Pool: row.Title, Settings: row.Settings(files.Programs),
				Load: row.Load,
			})
		}
		return list
	},
}

// Settings is a program that is started.
type Settings struct {
	Argv    []string          `yaml:"argv" doc:"The program and its arguments; never a shell. A relative path is relative to the file."`
	Env     map[string]string `yaml:"env" doc:"Added to the environment."`
	Dir     string            `yaml:"dir" doc:"Its working directory. Default: the file's."`
	User    string            `yaml:"user" doc:"Whom it is started as, which takes root. Default: the user of the run."`
	Size    units.Range       `yaml:"size" zero:"no member: want at least 1" doc:"How many members it is to have: a number, or the fewest and the most of a program that changes how many it has."`
	Rule    members.Rule      `yaml:"members" doc:"Which of its processes are members. Default: its children."`
	Ready   calls.Spec        `yaml:"ready" doc:"A call that is answered when it is up, and again when it has recovered. Default: the load's."`
	Stop    Stop              `yaml:"stop" doc:"How it is asked to end."`
	Restart Restart           `yaml:"restart" doc:"How it is asked to replace all its members, for the fault restart."`
	Needs   []string          `yaml:"needs" doc:"Programs that must be there beside the first of argv, which may be a script that starts the first of these."`
	Version []string          `yaml:"version" doc:"A command that prints the version, which the report shows: the first number with a dot counts."`
	Install string            `yaml:"install" doc:"The command that installs the program, for those who lack it."`
}

// Stop is how a program is asked to end.
type Stop struct {
	Signal string         `yaml:"signal" doc:"The signal's name. Default TERM."`
	Within units.Duration `yaml:"within" zero:"no time to end: want a time such as 5s" doc:"How long it may take to end, with all that it started. Default 10s."`
}

// Restart is how a program is asked to replace all its members.
type Restart struct {
	Signal string   `yaml:"signal" doc:"A signal to the program's own process, such as HUP."`
	Argv   []string `yaml:"argv" doc:"Or a command, such as [supervisorctl, restart, all]; never a shell. It has the program's environment, directory and user."`
}

func (s Stop) signal() unix.Signal {
	if s.Signal == "" {
		return unix.SIGTERM
	}
	return number(s.Signal)
}

// number is a signal by its name, with SIG or without; 0 for none.
func number(name string) unix.Signal {
	return unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
}

func (s Stop) within() time.Duration {
	if s.Within == 0 {
		return 10 * time.Second
	}
	return s.Within.Std()
}

// Members implements kind.Settings.
func (s *Settings) Members() int { return s.Size.Least() }

// Most implements kind.Ranged.
func (s *Settings) Most() int { return s.Size.Most() }

// Check implements kind.Settings.
func (s *Settings) Check(fail func(key, format string, args ...any)) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		fail("", "argv is missing: want the program and its arguments")
	}
	if s.Size.Least() == 0 {
		fail("", "size is missing: want how many members the program is to have")
	}
	if s.Stop.signal() == 0 {
		fail("stop.signal", "unknown signal %q: want a name such as TERM", s.Stop.Signal)
	}
	switch r := s.Restart; {
	case r.Signal != "" && len(r.Argv) > 0:
		fail("restart", "signal and argv contradict each other: want one")
	case r.Signal != "" && number(r.Signal) == 0:
		fail("restart.signal", "unknown signal %q: want a name such as HUP", r.Signal)
	}
	s.Rule.Check(kind.Below("members", fail))
	s.Ready.Check(kind.Below("ready", fail))
}

// Refuses implements kind.Limited.
func (s *Settings) Refuses(fault, _ string) string {
	if fault == "restart" && s.Restart.Signal == "" && len(s.Restart.Argv) == 0 {
		return "nothing says how it restarts: want target.command.restart, with a signal or argv"
	}
	return ""
}

// Grace implements kind.Stopper.
func (s *Settings) Grace() time.Duration { return s.Stop.within() }

// Open implements kind.Settings.
func (s *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	t, err := Start(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return &kind.Opened{Target: t, Closing: t.Close, End: t.Close}, nil
}
