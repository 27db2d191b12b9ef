package own

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/own/tasks"
	"github.com/respawn-go/respawn/workers"
)

func (t *Pool) tasks() *tasks.Set { return tasks.For(t.cfg.Command) }

// provable is the environment of workers of another language that are to have the tasks of the harness, and to boot
// badly when they are told to. dir is a directory of the run.
func provable(env []string, dir, boots string) ([]string, error) {
	proof := filepath.Join(dir, "proof")
	if err := os.MkdirAll(proof, 0o755); err != nil {
		return nil, err
	}
	entry, err := workers.WriteProof(proof)
	return append(slices.Clip(env), entry, "RESPAWN_BOOT="+boots), err
}

// bootTime is how long a worker of another language takes from its start until it is ready, with nothing beside it: the
// median of a few, or of one that is slow. Workers of this program take none that is worth counting.
func bootTime(ctx context.Context, cfg pool.Config) (time.Duration, error) {
	if cfg.Command == nil {
		return 0, nil
	}
	const most, enough = 5, time.Second
	alone := pool.Config{
		Size: 1, Command: cfg.Command, Dir: cfg.Dir, Env: cfg.Env, BootTimeout: cfg.BootTimeout, Stdout: pool.Discard,
		Stderr: pool.Discard,
	}
	var took []time.Duration
	for began := time.Now(); len(took) < most && time.Since(began) < enough; {
		p, err := pool.New(ctx, alone)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(p.Workers()[0].Started))
		p.Terminate()
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// envCommand has the command of the workers of the driver around our own pool, as JSON; without it they are this
// program.
const envCommand = "RESPAWN_DRIVER_COMMAND"

// asDriver is the driver around our own pool for a scenario.
func (t *Settings) asDriver(at kind.Place) (driver.Command, error) {
	c := AsDriver(max(int(t.Size), 1), "")
	if t.Command == nil {
		return c, nil
	}
	text, err := json.Marshal(t.Command)
	if err != nil {
		return c, err
	}
	env, err := provable(nil, at.Dir, "")
	c.Dir, c.Env = at.File, slices.Concat(c.Env, env, []string{envCommand + "=" + string(text)})
	return c, err
}

// driverCommand is what asDriver put into the environment.
func driverCommand() (command []string, err error) {
	text := os.Getenv(envCommand)
	os.Unsetenv(envCommand)
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &command); err != nil {
		return nil, fmt.Errorf("%s: %w", envCommand, err)
	}
	return command, nil
}

// Refuses implements kind.Limited.
func (t *Settings) Refuses(fault, phase string) string {
	switch {
	case t.Command == nil:
		return ""
	case fault == "crashpoint":
		return "workers of another language have no crash points in their loop, which is theirs: kill them by the " +
			"fault signal"
	case phase != "" && phase != "idle" && phase != "running":
		return "workers of another language do not tell that phase: their tickets tell idle and running"
	}
	return ""
}

// Runs implements kind.Runner.
func (t *Settings) Runs() bool { return t.Command != nil }
