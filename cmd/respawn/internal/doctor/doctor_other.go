//go:build !linux

package doctor

import (
	"context"
	"errors"
	"runtime"
)

var errNotLinux = errors.New("not supported on " + runtime.GOOS)

func system(context.Context) []Check {
	return []Check{found("kernel", "the pool", "run on Linux: the pool is proved nowhere else", errNotLinux, "")}
}

func nothing(context.Context) []Check { return nil }

var processes, cgroups, memory, limits, namespaces = nothing, nothing, nothing, nothing, nothing
