// Package attach makes processes that somebody else started, and that go on when the run is over, into a target.
//
// Nothing is ended, reconfigured or moved that the harness did not start: its faults are signals to single processes,
// each through a pidfd that was held before it was looked at, and pauses, which end with the run whatever becomes of
// it.
package attach

import (
	"context"
	"fmt"
	"os/user"
	"strconv"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

// Row is the row of processes that run already.
var Row = kind.Kind{
	Name: "attach",
	Doc: "Processes that run already, such as a service: found by a rule, struck by signals and pauses alone, never " +
		"ended by the harness. Takes --attach.",
	New:  func() kind.Settings { return &Settings{} },
	Can:  kind.Can{Faults: []string{"signal", "pause"}, Calls: true, Attaches: true},
	Page: "docs/attach.md",
}

// Settings say which processes.
type Settings struct {
	PID       units.Count   `yaml:"pid" zero:"no process: want its number" doc:"The main process, by its number; name says which program that is."`
	Pidfile   string        `yaml:"pidfile" doc:"The main process, by the file that it writes its number to; read again when that process has ended."`
	Port      units.Count   `yaml:"port" zero:"no port: want 1 to 65535" doc:"Those that hold the socket that listens at this TCP port."`
	Cgroup    string        `yaml:"cgroup" doc:"Those in a control group, and in the groups below it: its directory, or its path in the hierarchy."`
	Unit      string        `yaml:"unit" doc:"Those of a systemd unit, such as nginx.service."`
	Container string        `yaml:"container" doc:"Those in a container of docker, podman or runc, by name or id; its first process is not a member."`
	Name      string        `yaml:"name" doc:"The name of the main process's program, as ps shows it; goes with owner, or with pid."`
	Owner     string        `yaml:"owner" doc:"Whose the processes are. Default: the user of the run."`
	Rule      *members.Rule `yaml:"members" doc:"Which of them are members. Default: the children of the main process; by port, group, unit or container the main process itself if it has none."`
	Size      units.Range   `yaml:"size" zero:"no member: want at least 1" doc:"How many members there are to be: a number, or the fewest and the most where the target changes how many it has. Default: as many as there are when the run begins."`
	Ready     calls.Spec    `yaml:"ready" doc:"A call that is answered when the target is well. Default: the load's."`
}

// Members implements kind.Settings.
func (s *Settings) Members() int { return s.Size.Least() }

// Most implements kind.Ranged.
func (s *Settings) Most() int { return s.Size.Most() }

// MinAlive implements kind.Careful.
func (s *Settings) MinAlive() int { return 1 }

// ways are the keys of which one says where the processes are.
func (s *Settings) ways() (set []string) {
	for _, w := range []struct {
		key string
		set bool
	}{
		{"pid", s.PID > 0},
		{"pidfile", s.Pidfile != ""},
		{"port", s.Port > 0},
		{"cgroup", s.Cgroup != ""},
		{"unit", s.Unit != ""},
		{"container", s.Container != ""},
	} {
		if w.set {
			set = append(set, w.key)
		}
	}
	if len(set) == 0 && s.Name != "" {
		set = []string{"name"}
	}
	return set
}

// Check implements kind.Settings.
func (s *Settings) Check(fail func(key, format string, args ...any)) {
	switch ways := s.ways(); {
	case len(ways) == 0:
		fail("",
			"nothing says which processes: want one of pid, pidfile, port, cgroup, unit, container, or name and owner")
	case len(ways) > 1:
		fail(ways[1], "%s and %s contradict each other: want one", ways[0], ways[1])
	case s.PID == 1:
		fail("pid", "process 1 is never a target")
	case s.PID > 0 && s.Name == "":
		fail("pid", "a number may pass to another process: say which program it is, with name (ps -o comm= -p %d)",
			s.PID)
	case ways[0] == "name" && s.Owner == "":
		fail("name", "a name may be anybody's: say whose it is, with owner")
	}
	if s.Port > 65535 {
		fail("port", "%d is no port: want 1 to 65535", s.Port)
	}
	if s.Rule != nil {
		s.Rule.Check(kind.Below("members", fail))
	}
	s.Ready.Check(kind.Below("ready", fail))
}

// uid is whose the processes are; -1 if the settings do not say.
func (s *Settings) uid() (int, error) {
	if s.Owner == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(s.Owner); err == nil {
		return n, nil
	}
	u, err := user.Lookup(s.Owner)
	if err != nil {
		return -1, fmt.Errorf("there is no user %q here", s.Owner)
	}
	return strconv.Atoi(u.Uid)
}

// Look implements kind.Looker.
func (s *Settings) Look() (kind.Seen, error) {
	seen, _, err := (&Target{settings: s, programs: map[string]bool{}}).look()
	return seen, err
}

// Open implements kind.Settings.
func (s *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	t, err := Open(ctx, s, at)
	if err != nil {
		return nil, err
	}
	return &kind.Opened{Target: t, Consent: t.consent, End: func() error { t.Stop(); return nil }}, nil
}
