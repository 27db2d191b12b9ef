package faults

import (
	"cmp"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
)

// Stepdown takes the lead of a cluster of brokers from the one that has it, which goes on. The evidence is that another
// one leads.
type Stepdown struct {
	Of string `yaml:"of,scalar" enum:"queue consumer" doc:"What is led: the queue, or what is handed out of it. Default queue."`
}

func (s Stepdown) of() string { return cmp.Or(s.Of, "queue") }

func (s Stepdown) String() string { return "stepdown " + s.of() }

// Validate wants one of the words.
func (s Stepdown) Validate() error {
	switch s.of() {
	case "queue", "consumer":
		return nil
	}
	return fmt.Errorf("stepdown of %q: want queue or consumer", s.Of)
}

// Traits implements chaos.Fault.
func (Stepdown) Traits() chaos.Traits { return chaos.Traits{Whole: true, Leads: true} }

// Begin makes an injection.
func (s Stepdown) Begin() chaos.Injection {
	return &harming{
		harm: chaos.Harm{Kind: "stepdown", Slot: -1, Args: map[string]any{"of": s.of()}}, proves: otherLeads,
	}
}

// otherLeads wants two leaders' names that differ.
func otherLeads(evidence map[string]string) error {
	before, now := evidence["led before"], evidence["leads now"]
	if before == "" || now == "" || before == now {
		return fmt.Errorf(
			"the target's evidence has %q for \"led before\" and %q for \"leads now\": want two that differ",
			before, now)
	}
	return nil
}
