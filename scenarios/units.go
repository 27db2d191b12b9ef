package scenarios

import (
	"github.com/respawn-go/respawn/internal/units"
)

// The scalar types of a scenario. Each is written with its unit, and a bare number is an error. The zero value means
// "not set".
type (
	// Duration is a time.ParseDuration text: 250ms, 1m30s.
	Duration = units.Duration
	// Bytes is a whole number with B, KiB, MiB or GiB.
	Bytes = units.Bytes
	// Rate is so many per second, minute or hour: 500/s. The value is per second.
	Rate = units.Rate
	// Percent is 0% to 100%. The value is 0 to 1.
	Percent = units.Percent
	// Count is a whole number from 0, without a unit.
	Count = units.Count
	// Range is one whole number, or the fewest and the most: 4, 2..8.
	Range = units.Range
)
