package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Amnesia ends the victim by SIGKILL and takes from it what it had stored before it is started again, as a power loss
// or another disk does. The evidence is how it ended, and what it had stored before and after.
type Amnesia struct {
	Back string `yaml:"back,scalar" enum:"empty start" doc:"What it comes back with: nothing, or what it had when it was last started. Default empty."`
}

func (a Amnesia) back() string { return cmp.Or(a.Back, "empty") }

func (a Amnesia) String() string { return "amnesia " + a.back() }

// Validate wants one of the words.
func (a Amnesia) Validate() error {
	if b := a.back(); b != "empty" && b != "start" {
		return fmt.Errorf("amnesia back to %q: want empty or start", a.Back)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Amnesia) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (a Amnesia) Begin() chaos.Injection {
	return &forgetting{
		harming{harm: chaos.Harm{Kind: "amnesia", Args: map[string]any{"back": a.back()}}, proves: a.hasLost},
	}
}

type forgetting struct{ harming }

func (f *forgetting) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	e, err := c.Ending(ctx)
	r := e.Receipt()
	maps.Copy(r.Evidence, f.evidence)
	if err == nil && e.Known() && e.Signal != "SIGKILL" {
		err = fmt.Errorf("the victim ended with %s, and not of SIGKILL", e)
	}
	if err == nil {
		err = f.proves(f.evidence)
	}
	return r, err
}

// hasLost wants the two counts of what was stored, and of one that comes back empty that it has lost all of it.
func (a Amnesia) hasLost(evidence map[string]string) error {
	if _, err := counts(evidence, "files before"); err != nil {
		return err
	}
	after, err := counts(evidence, "files after")
	if err == nil && a.back() == "empty" && after > 0 {
		err = fmt.Errorf("the target counts %d files after all were lost", after)
	}
	return err
}
