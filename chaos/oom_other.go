//go:build !linux

package chaos

import (
	"context"

	"github.com/respawn-go/respawn/chaos/history"
)

type oomByRlimit struct {
	OOM
	notHere
}

type oomByRSS struct {
	OOM
	notHere
}

// notHere refuses what only Linux offers.
type notHere struct{ Steps }

func (notHere) Setup(context.Context, *Case) error {
	return refuse("not supported on this operating system")
}
func (notHere) Inject(context.Context, *Case) error { return nil }

func (notHere) Confirm(context.Context, *Case) (r history.Receipt, err error) { return r, nil }
