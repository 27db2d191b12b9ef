// Package covered has one handler.
package covered

import (
	"context"

	"github.com/respawn-go/respawn/pool"
)

var Square = pool.Register("square", func(_ context.Context, n int) (int, error) {
	return n * n, nil
})
