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
func (t *Pool) Poison(ctx context.Context, code int) (pids []int, verdict string, err error) {
	_, err = t.tasks().Poison.Call(ctx, t.Pool, code)
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) {
		return nil, "", fmt.Errorf("a deadly task was not given up: %w", err)
	}
	for _, x := range lost.Exits {
		pids = append(pids, x.PID)
	}
	return pids, lost.Error(), nil
}

// Stress implements chaos.Stresser.
func (t *Pool) Stress(ctx context.Context, slot int, s chaos.Stress) (string, error) {
	in := tasks.Strain{PID: s.PID, Kind: s.Kind, Text: s.Text, Bytes: s.Bytes, Count: s.Count, Hold: s.Hold}
	in.Marker = s.Marker()
	answer, err := t.tasks().Stress.Call(ctx, t.Pool, in, pool.OnSlot(slot), pool.WithDelivery(pool.AtMostOnce))
	var lost *pool.WorkerLostError
	switch {
	case errors.As(err, &lost):
		return "", nil
	case err == nil && answer == tasks.NotMe:
		return "", chaos.ErrGone
	}
	return answer, err
}
