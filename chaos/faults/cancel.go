package faults

import (
	"fmt"

	"github.com/respawn-go/respawn/chaos"
)

// Cancel has the target submit tasks that would run for ever and cancel them all, ten thousand at a time. The evidence
// is that it counts as many cancelled as it has submitted.
type Cancel struct {
	N int `yaml:"n,scalar" zero:"no task: want at least 1" doc:"So many. Default 1."`
}

func (c Cancel) n() int { return max(c.N, 1) }

func (c Cancel) String() string { return fmt.Sprintf("cancel %d", c.n()) }

// Validate wants a number that is not negative.
func (c Cancel) Validate() error { return atLeastOne("cancel", c.N) }

// Traits implements chaos.Fault.
func (Cancel) Traits() chaos.Traits { return chaos.Traits{Whole: true} }

// Begin makes an injection.
func (c Cancel) Begin() chaos.Injection {
	return &harming{
		harm: chaos.Harm{Kind: "cancel", Slot: -1, Args: map[string]any{"n": c.n()}}, proves: c.allCancelled,
	}
}

// allCancelled wants each of them to have ended as cancelled.
func (c Cancel) allCancelled(evidence map[string]string) error {
	submitted, err := counts(evidence, "submitted")
	if err != nil {
		return err
	}
	cancelled, err := counts(evidence, "cancelled")
	if err == nil && (submitted != c.n() || cancelled != submitted) {
		err = fmt.Errorf("the target counts %d tasks submitted and %d cancelled, of %d", submitted, cancelled, c.n())
	}
	return err
}
