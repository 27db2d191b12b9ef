// Package fleet is fleets of machines as targets: brokers and nodes as processes of this machine, behind respawn-fleet
// target, since this program links neither a broker nor its client. The members are the nodes, behind them the brokers,
// and last other owners.
package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Row is the row of fleets.
var Row = kind.Kind{
	Name: "fleet",
	Doc: "A fleet: brokers and nodes as processes of this machine; its members are the nodes, behind them the " +
		"brokers, and last other owners.",
	New: func() kind.Settings { return &Settings{} },
	Can: kind.Can{
		Abilities: []string{"Supervised", "Harmer", "Poisoner"}, Roles: []string{chaos.Node, chaos.Broker, chaos.Owner},
		Tasks: []string{"sleep", "square", "echo"},
	},
	Page: "docs/fleet.md",
	Known: func(kind.Files) []kind.Known {
		return []kind.Known{{
			Family: kind.Fleets, Name: "fleet", Pool: "respawn-fleet, one broker in memory", Settings: map[string]any{},
			Size: "nodes",
		}}
	},
}

// Settings is a fleet.
type Settings struct {
	Nodes    units.Count `yaml:"nodes" zero:"no fleet: want at least 1" doc:"Nodes: processes with a pool each."`
	Workers  units.Count `yaml:"workers" zero:"nobody works: want at least 1" doc:"Worker processes of each node. Default: 1."`
	Brokers  units.Count `yaml:"brokers" zero:"no queue: want 1, 3 or 5" doc:"Brokers: 1, 3 or 5. Default: 1."`
	Replicas units.Count `yaml:"replicas" zero:"nobody keeps the queue: want 1, 3 or 5" doc:"Brokers that keep the queue. Default: all."`
	Owners   units.Count `yaml:"owners" zero:"none: the default" doc:"Processes that submit tasks of their own, beside the load; members in the last slots. Default: none."`
	Storage  string      `yaml:"storage" enum:"memory file" doc:"Where brokers keep the queue. Default: memory."`
	Memory   units.Bytes `yaml:"memory" doc:"The kernel kills a node that uses more with its workers, by a cgroup: poison by memory has it do so. Default: no limit."`
	Disk     units.Bytes `yaml:"disk" doc:"A file system of its own for each broker, in memory and of this size, that the fault fill can fill. Goes with storage: file. Default: none."`
	Older    units.Count `yaml:"older" zero:"none: the default" doc:"Nodes, the first ones, whose first process is of an older program, which does not know the task echo. Default: none."`
	Budget   units.Count `yaml:"budget" zero:"never given up: want at least 1" doc:"Ends of nodes that a task may be blamed for. Default: 5."`
	Bugs     []string    `yaml:"bugs" enum:"loses-tasks runs-twice wrong-values blames-bystanders kills-others no-respawn leaves-tasks impatient" doc:"Break the fleet at its edge in these ways, to see that a scenario would notice."`
}

// Members implements kind.Settings.
func (s *Settings) Members() int {
	if s.Nodes == 0 {
		return 0
	}
	return int(s.Nodes) + max(int(s.Brokers), 1) + int(s.Owners)
}

// Check implements kind.Settings.
func (s *Settings) Check(fail func(key, format string, args ...any)) {
	odd := func(n units.Count) bool { return n == 0 || n == 1 || n == 3 || n == 5 }
	if !odd(s.Brokers) {
		fail("brokers", "%d brokers: want 1, 3 or 5, so that a majority is left when one is lost", s.Brokers)
	}
	if s.Older > max(s.Nodes, 1) {
		fail("older", "%d of %d nodes: want no more than there are", s.Older, max(s.Nodes, 1))
	}
	if !odd(s.Replicas) || s.Replicas > max(s.Brokers, 1) {
		fail("replicas", "%d replicas on %d brokers: want 1, 3 or 5, and no more than brokers",
			s.Replicas, max(s.Brokers, 1))
	}
	if s.Memory > 0 && s.Memory < leastMemory {
		fail("memory", "%s for a node and its workers: want %s or more", s.Memory, units.Bytes(leastMemory))
	}
	if s.Disk > 0 && s.Disk < leastDisk {
		fail("disk", "a disk of %s: want %s or more", s.Disk, units.Bytes(leastDisk))
	}
	if s.Disk > 0 && s.Storage != "file" {
		fail("disk", "the queue is kept in memory, and a disk holds none of it: want storage: file")
	}
}

// How small a disk and the memory may be: what respawn-fleet target takes.
const (
	leastDisk   = 4 << 20
	leastMemory = 64 << 20
)

// Refuses implements kind.Limited.
func (s *Settings) Refuses(fault, _ string) string {
	if fault == "fill" && s.Disk == 0 {
		return "its brokers have no disks of their own: set disk, such as 16MiB"
	}
	return ""
}

// Open implements kind.Settings.
func (s *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	program, err := find(ctx, at.Dir)
	if err != nil {
		return nil, err
	}
	argv := []string{program, "target", "--workers", count(s.Workers), "--brokers", count(s.Brokers)}
	if s.Replicas > 0 {
		argv = append(argv, "--replicas", count(s.Replicas))
	}
	if s.Owners > 0 {
		argv = append(argv, "--owners", count(s.Owners))
	}
	if s.Memory > 0 {
		argv = append(argv, "--memory", strconv.FormatInt(int64(s.Memory), 10))
	}
	if s.Disk > 0 {
		argv = append(argv, "--disk", strconv.FormatInt(int64(s.Disk), 10))
	}
	if s.Older > 0 {
		argv = append(argv, "--older", count(s.Older))
	}
	if s.Budget > 0 {
		argv = append(argv, "--budget", count(s.Budget))
	}
	for _, bug := range s.Bugs {
		argv = append(argv, "--bug", bug)
	}
	if s.Storage != "" {
		argv = append(argv, "--storage", s.Storage)
	}
	c := driver.Command{Kind: "fleet", Argv: argv, Size: max(int(s.Nodes), 1), Places: int(s.Workers)}
	c.Timeouts.Ready = 2 * time.Minute // brokers that do not agree on a leader at once try again for seconds
	return driver.OpenTarget(ctx, c, at.Dir)
}

func count(n units.Count) string { return strconv.Itoa(max(int(n), 1)) }

const (
	name = "respawn-fleet"
	path = "github.com/respawn-go/respawn/cmd/respawn-fleet"
)

// find is the command: beside this program, in PATH, or built into dir from the module that the working directory is
// in.
func find(ctx context.Context, dir string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), name); isProgram(beside) {
			return beside, nil
		}
	}
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	built := filepath.Join(dir, name)
	text, err := exec.CommandContext(ctx, "go", "build", "-o", built, path).CombinedOutput()
	if err == nil {
		return built, nil
	}
	missing := &foreign.NotInstalledError{What: name, Install: "go install " + path + "@latest"}
	return "", fmt.Errorf("%w (nor can it be built here: %.200s)", missing, text)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
