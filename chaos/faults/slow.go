package faults

import (
	"cmp"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

// Slow makes everything late that the victim and the others send to each other, for a while. The evidence is how many
// bytes were.
type Slow struct {
	Delay time.Duration `yaml:"delay,scalar" zero:"no delay: want a time such as 50ms" doc:"Each way. Default 50ms."`
	For   time.Duration `yaml:"for" zero:"no time: want a time such as 5s" doc:"Default 5s."`
}

func (s Slow) delay() time.Duration  { return cmp.Or(s.Delay, 50*time.Millisecond) }
func (s Slow) length() time.Duration { return cmp.Or(s.For, 5*time.Second) }

func (s Slow) String() string { return "slow " + s.delay().String() + but("for", s.For) }

// Validate wants durations that are not negative.
func (s Slow) Validate() error {
	if s.Delay < 0 || s.For < 0 {
		return fmt.Errorf("slow by %v for %v: want positive durations, or 0 for 50ms and 5s", s.Delay, s.For)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Slow) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (s Slow) Begin() chaos.Injection {
	return &lasting{harming: harming{
		harm: chaos.Harm{Kind: "slow", Args: map[string]any{"ms": s.delay().Milliseconds()}}, proves: heldUp,
	}, lasts: s.length()}
}
