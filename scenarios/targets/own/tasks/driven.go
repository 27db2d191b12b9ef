package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// Driven is the argument of the tasks of the protocol.
type Driven struct {
	ID      uint64        `json:"id"`
	Witness string        `json:"witness,omitempty"`
	Hold    time.Duration `json:"ns"`
	N       int64         `json:"n"`
}

// drive is square, and sleep with something to hold.
var drive = pool.Register("respawn.driven", func(ctx context.Context, d Driven) (int64, error) {
	end, err := testify(d.Witness, d.ID, pool.Attempt(ctx))
	if err != nil {
		return 0, err
	}
	return d.N * d.N, errors.Join(wait.For(ctx, d.Hold), end())
})
