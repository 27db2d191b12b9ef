//go:build !linux

package faults

import (
	"context"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

type oomByRlimit struct {
	OOM
	notHere
}

// notHere refuses what only Linux offers.
type notHere struct{ chaos.Steps }

func (notHere) Setup(context.Context, *chaos.Case) error {
	return chaos.Refuse("not supported on this operating system")
}
func (notHere) Inject(context.Context, *chaos.Case) error { return nil }

func (notHere) Confirm(context.Context, *chaos.Case) (r history.Receipt, err error) { return r, nil }
