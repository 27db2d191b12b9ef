//go:build !linux

package chaos

import "time"

var processStart = time.Now()

// monotonic is the time since the start of this process in ns.
func monotonic() int64 { return int64(time.Since(processStart)) }
