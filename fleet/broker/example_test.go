package broker_test

import (
	"context"
	"log"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
)

// A broker inside the program, for a fleet that is this program and those that it starts: nothing listens on a port.
func ExampleStart() {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	f, err := fleet.Dial(context.Background(), fleet.Config{Fleet: "numbers", Options: b.Options()})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
}
