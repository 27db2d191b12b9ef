package wire

import "time"

var clockBase = time.Now()

// Now is a clock for measuring inside one process, such as how long a handler ran. It is read far more often than the
// time of day, and costs half as much: one call of the vDSO in place of two.
func Now() time.Duration { return time.Since(clockBase) }
