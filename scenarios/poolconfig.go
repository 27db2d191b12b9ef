package scenarios

import (
	"time"

	"github.com/respawn-go/respawn/pool"
)

// config is the pool's own configuration.
func (t *PoolTarget) config() pool.Config {
	c := pool.Config{
		Size: int(t.Size), Spares: int(t.Spares), MaxTasks: int(t.MaxTasks), MaxAge: t.MaxAge.Std(),
		SoftMemory: pool.Bytes(t.SoftMemory), HardMemory: pool.Bytes(t.HardMemory), NoCgroup: t.NoCgroup,
		TaskTimeout: t.TaskTimeout.Std(), QueueLimit: int(t.QueueLimit), Heartbeat: t.Heartbeat.Std(),
		StopGrace: t.StopGrace.Std(), BootTimeout: t.BootTimeout.Std(),
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
			Base: time.Duration(b.Base), Max: time.Duration(b.Max), Threshold: int(b.Threshold), HalfLife: time.Duration(b.HalfLife),
		}
	}
	return c
}
