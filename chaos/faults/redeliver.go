package faults

import (
	"fmt"

	"github.com/respawn-go/respawn/chaos"
)

// Redeliver has the broker hand out once more tasks that somebody has. The evidence is that it counts them as
// redelivered.
type Redeliver struct {
	N int `yaml:"n,scalar" zero:"no task: want at least 1" doc:"So many, as far as so many are in hand. Default 1."`
}

func (r Redeliver) n() int { return max(r.N, 1) }

func (r Redeliver) String() string { return fmt.Sprintf("redeliver %d", r.n()) }

// Validate wants a number that is not negative.
func (r Redeliver) Validate() error { return atLeastOne("redeliver", r.N) }

// Traits implements chaos.Fault.
func (Redeliver) Traits() chaos.Traits { return chaos.Traits{Whole: true} }

// Begin makes an injection.
func (r Redeliver) Begin() chaos.Injection {
	return &harming{
		harm: chaos.Harm{Kind: "redeliver", Slot: -1, Args: map[string]any{"n": r.n()}}, proves: moreRedelivered,
	}
}

// moreRedelivered wants a count that has grown.
func moreRedelivered(evidence map[string]string) error {
	before, err := counts(evidence, "redelivered before")
	if err != nil {
		return err
	}
	after, err := counts(evidence, "redelivered after")
	if err == nil && after <= before {
		err = fmt.Errorf("the target counts %d redelivered before and %d after", before, after)
	}
	return err
}
