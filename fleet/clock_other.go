//go:build !linux

package fleet

import "time"

var started = time.Now()

func clock() time.Duration { return time.Since(started) + time.Hour }
