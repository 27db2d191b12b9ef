//go:build !linux

package attach

import (
	"time"

	"github.com/respawn-go/respawn/internal/procfs"
)

// threadTime is not known here.
func threadTime() time.Duration { return 0 }

// age is not known here.
func age(procfs.Identity) time.Duration { return 0 }
