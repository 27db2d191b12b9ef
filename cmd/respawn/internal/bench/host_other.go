//go:build !linux

package bench

import (
	"os/exec"

	"github.com/respawn-go/respawn/internal/floor"
)

func confine(*exec.Cmd) {}

func proportional(int) (float64, error) { return 0, floor.ErrUnsupported }

func residentSet(int) (float64, error) { return 0, floor.ErrUnsupported }
