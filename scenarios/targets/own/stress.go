package own

import (
	"context"
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own/tasks"
)

// Poison implements chaos.Poisoner.
func (t *Pool) Poison(ctx context.Context, d chaos.Deadly) (died chaos.Poisoned, err error) {
	switch {
	case !d.Memory:
		_, err = t.tasks().Poison.Call(ctx, t.Pool, d.Code)
	case t.cfg.HardMemory == 0:
		return died, chaos.Refuse("workers without a limit would take this host's memory: set hard_memory")
	default:
		_, err = t.tasks().Stress.Call(ctx, t.Pool, tasks.Strain{Kind: "alloc"})
	}
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) {
		return died, fmt.Errorf("a deadly task was not given up: %w", err)
	}
	for _, x := range lost.Exits {
		died.PIDs = append(died.PIDs, x.PID)
		if x.Kind == pool.KindOOM {
			died.OOMKills++
		}
	}
	died.Verdict = lost.Error()
	return died, nil
}

// Stress implements chaos.Stresser.
func (t *Pool) Stress(ctx context.Context, slot int, s chaos.Stress) (chaos.Stressed, error) {
	in := tasks.Strain{PID: s.PID, Kind: s.Kind, Text: s.Text, Bytes: s.Bytes, Count: s.Count, Hold: s.Hold}
	in.Marker = s.Marker()
	answer, err := t.tasks().Stress.Call(ctx, t.Pool, in, pool.OnSlot(slot), pool.WithDelivery(pool.AtMostOnce))
	var lost *pool.WorkerLostError
	switch {
	case errors.As(err, &lost):
		return chaos.Stressed{}, nil
	case err == nil && answer.NotMe:
		return chaos.Stressed{}, chaos.ErrGone
	}
	return chaos.Stressed{Text: answer.Text, Refused: answer.Refused}, err
}
