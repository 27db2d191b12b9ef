package faults

import (
	"cmp"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

// Fill fills the disk on which the victim keeps what it stores, keeps it full for a while, and makes room again. The
// evidence is how often the system refused to store more (ENOSPC), the bytes that filled it, and those that were free
// before, then and after.
type Fill struct {
	For time.Duration `yaml:"for,scalar" zero:"no time: want a time such as 5s" doc:"Default 5s."`
}

func (f Fill) length() time.Duration { return cmp.Or(f.For, 5*time.Second) }

func (f Fill) String() string { return "fill " + f.length().String() }

// Validate wants a duration that is not negative.
func (f Fill) Validate() error { return forLong("fill", f.For, 5*time.Second) }

// Traits implements chaos.Fault.
func (Fill) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (f Fill) Begin() chaos.Injection {
	return &lasting{harming: harming{harm: chaos.Harm{Kind: "fill"}, proves: wasFull}, lasts: f.length()}
}

// wasFull wants writes that were refused, room before and after, and less of it when the first of them was.
func wasFull(evidence map[string]string) error {
	n := map[string]int{}
	for _, fact := range []string{"refused", "written", "free before", "free full", "free after"} {
		var err error
		if n[fact], err = counts(evidence, fact); err != nil {
			return err
		}
	}
	switch {
	case n["refused"] == 0:
		return fmt.Errorf("nothing was refused for lack of room (ENOSPC) after %d bytes had been written", n["written"])
	case n["free full"] >= n["free before"], n["free after"] <= n["free full"]:
		return fmt.Errorf("the target counts %d bytes free before, %d when it was full, and %d after",
			n["free before"], n["free full"], n["free after"])
	}
	return nil
}
