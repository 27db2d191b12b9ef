package faults

import (
	"context"
)

// StartHog starts a hog in no group at all.
func StartHog() error {
	h, err := startHog(context.Background(), nil, "0")
	if err == nil {
		h.stop()
	}
	return err
}

// OutOfMemory is outOfMemory.
var OutOfMemory = outOfMemory
