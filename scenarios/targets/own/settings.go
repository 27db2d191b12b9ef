package own

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Settings configures the pool: see pool.Config for each key.
type Settings struct {
	Size        units.Count    `yaml:"size" zero:"no pool: want at least 1" doc:"Workers. Default: one per CPU."`
	Spares      units.Count    `yaml:"spares" doc:"Hot spares."`
	MaxTasks    units.Count    `yaml:"max_tasks" doc:"Recycle a worker after so many tasks."`
	MaxAge      units.Duration `yaml:"max_age" doc:"Recycle a worker at this age."`
	SoftMemory  units.Bytes    `yaml:"soft_memory" doc:"Recycle a worker whose resident set is larger."`
	HardMemory  units.Bytes    `yaml:"hard_memory" doc:"The kernel kills a worker that uses more."`
	NoCgroup    bool           `yaml:"no_cgroup" doc:"Limit memory by RLIMIT_DATA even where a cgroup can be had."`
	TaskTimeout units.Duration `yaml:"task_timeout" doc:"Kill the worker of a task that runs longer."`
	QueueLimit  units.Count    `yaml:"queue_limit" zero:"no queue: want at least 1" doc:"Tasks that may wait."`
	Delivery    string         `yaml:"delivery" enum:"at-least-once at-most-once" doc:"Default at-least-once."`
	Budgets     *Budgets       `yaml:"budgets" doc:"Deaths one task may cause."`
	Heartbeat   units.Duration `yaml:"heartbeat" zero:"no time to answer: want at least 50ms" doc:"A worker that leaves a ping unanswered for longer is replaced."`
	StopGrace   units.Duration `yaml:"stop_grace" zero:"no time to stop: want a time such as 1s" doc:"How long a stopping worker may take before SIGKILL."`
	BootTimeout units.Duration `yaml:"boot_timeout" zero:"no time to boot: want a time such as 10s" doc:"How long a worker may take to be ready."`
	Command     []string       `yaml:"command" doc:"Workers of another language: the program and its arguments; never a shell. A relative path is relative to the file. See docs/python.md."`
	Supervised  bool           `yaml:"supervised" doc:"Put the pool into a process of its own, so that its parent can be killed. Goes with size and command alone."`
	Backoff     *Backoff       `yaml:"backoff" doc:"The pause between restarts of workers that do not come up."`
	Bugs        []string       `yaml:"bugs" enum:"loses-tasks wrong-values runs-twice kills-others leaves-zombie leaves-orphan answers-late impatient" doc:"Break the pool at its edge in these ways, to see that a scenario would notice."`
}

// Budgets is pool.Budgets.
type Budgets struct {
	Crashes units.Count `yaml:"crashes" zero:"no budget: want at least 1, the first death" doc:"Default 3."`
	OOM     units.Count `yaml:"oom" zero:"no budget: want at least 1, the first death" doc:"Default 3."`
	Killed  units.Count `yaml:"killed" zero:"no budget: want at least 1, the first death" doc:"Default 16."`
}

// Backoff is pool.Backoff.
type Backoff struct {
	Base      units.Duration `yaml:"base" zero:"no pause: want a time such as 10ms" doc:"Default 100ms."`
	Max       units.Duration `yaml:"max" zero:"no pause: want a time such as 1s" doc:"Default 10s."`
	Threshold units.Count    `yaml:"threshold" zero:"no breaker: want at least 1" doc:"Failures that open the breaker. Default 5 + size."`
	HalfLife  units.Duration `yaml:"half_life" zero:"no memory: want a time such as 1s" doc:"Default 10s."`
}

// Members implements kind.Settings.
func (t *Settings) Members() int { return int(t.Size) }

// Check implements kind.Settings.
func (t *Settings) Check(fail func(key, format string, args ...any)) {
	if err := t.config().Validate(); err != nil {
		for line := range strings.Lines(err.Error()) {
			fail("", "%s", strings.TrimPrefix(strings.TrimSpace(line), "pool: "))
		}
	}
	if alone := (Settings{Size: t.Size, Command: t.Command, Supervised: true}); t.Supervised &&
		!reflect.DeepEqual(*t, alone) {
		fail("supervised",
			"supervised goes with size and command alone: the pool in the other process takes no other key")
	}
}

// Open implements kind.Settings.
func (t *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	if t.Supervised {
		c, err := t.asDriver(at)
		if err != nil {
			return nil, err
		}
		return driver.OpenTarget(ctx, c, at.Dir)
	}
	cfg := t.config()
	cfg.Dir = at.File
	boot, err := bootTime(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p, err := Start(ctx, cfg, at.Dir)
	if err != nil {
		return nil, err
	}
	if len(t.Bugs) > 0 {
		b, err := Break(p, t.Bugs)
		if err != nil {
			return nil, errors.Join(err, p.Terminate())
		}
		return &kind.Opened{Target: b, Witness: b.Witness(), Boot: boot, Closing: b.Close, End: b.End}, nil
	}
	return &kind.Opened{Target: p, Witness: p.Witness(), Boot: boot, Closing: p.Close, End: p.Terminate}, nil
}

// Grace implements kind.Stopper.
func (t *Settings) Grace() time.Duration { return cmp.Or(t.StopGrace.Std(), 5*time.Second) }

// config is the pool's own configuration.
func (t *Settings) config() pool.Config {
	c := pool.Config{
		Size: int(t.Size), Spares: int(t.Spares), MaxTasks: int(t.MaxTasks), MaxAge: t.MaxAge.Std(),
		SoftMemory: pool.Bytes(t.SoftMemory), HardMemory: pool.Bytes(t.HardMemory), NoCgroup: t.NoCgroup,
		TaskTimeout: t.TaskTimeout.Std(), QueueLimit: int(t.QueueLimit), Heartbeat: t.Heartbeat.Std(),
		StopGrace: t.StopGrace.Std(), BootTimeout: t.BootTimeout.Std(), Command: t.Command,
		Stdout: pool.Discard, Stderr: pool.Discard, // exits keep the tail, and the terminal is the report's
	}
	if t.Delivery == "at-most-once" {
		c.Delivery = pool.AtMostOnce
	}
	if b := t.Budgets; b != nil {
		c.Budgets = pool.Budgets{Crashes: int(b.Crashes), OOM: int(b.OOM), Killed: int(b.Killed)}
	}
	if b := t.Backoff; b != nil {
		c.Backoff = pool.Backoff{
			Base: time.Duration(b.Base), Max: time.Duration(b.Max), Threshold: int(b.Threshold),
			HalfLife: time.Duration(b.HalfLife),
		}
	}
	return c
}

// TaskLimit implements kind.Timed.
func (t *Settings) TaskLimit() time.Duration { return t.TaskTimeout.Std() }
