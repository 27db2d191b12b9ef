package faults

import (
	"cmp"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

// Cut keeps everything back that the victim and the others send to each other, for a while; its connections stay open,
// and what was kept back arrives late. The evidence is how many bytes were kept back.
type Cut struct {
	For time.Duration `yaml:"for,scalar" zero:"no time: want a time such as 5s" doc:"Default 5s."`
}

func (c Cut) length() time.Duration { return cmp.Or(c.For, 5*time.Second) }

func (c Cut) String() string { return "cut " + c.length().String() }

// Validate wants a duration that is not negative.
func (c Cut) Validate() error { return forLong("cut", c.For, 5*time.Second) }

// Traits implements chaos.Fault.
func (Cut) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (c Cut) Begin() chaos.Injection {
	return &lasting{harming: harming{harm: chaos.Harm{Kind: "cut"}, proves: heldUp}, lasts: c.length()}
}
