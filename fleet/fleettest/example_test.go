package fleettest_test

import (
	"testing"

	"github.com/respawn-go/respawn/fleet/fleettest"
)

// A test has a fleet for itself: brokers and nodes in processes of their own, which end with it. The test program calls
// pool.Main first, in TestMain.
func ExampleNew() {
	_ = func(t *testing.T) {
		f := fleettest.New(t, fleettest.Nodes(2), fleettest.Workers(1))
		if _, err := square.Call(t.Context(), f.Fleet, 7); err != nil {
			t.Fatal(err)
		}
	}
}
