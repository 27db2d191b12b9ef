package faults

import (
	"fmt"
	"time"
)

// forLong is what is wrong with how long a fault lasts, whose default is that.
func forLong(fault string, lasts, byDefault time.Duration) error {
	if lasts < 0 {
		return fmt.Errorf("%s for %v: want a positive duration, or 0 for %v", fault, lasts, byDefault)
	}
	return nil
}

// atLeastOne is what is wrong with how many times a fault does something, of which one is the default.
func atLeastOne(fault string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s %d: want at least 1", fault, n)
	}
	return nil
}
