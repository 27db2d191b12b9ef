package faults

import (
	"cmp"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
)

// FDs lets the victim run out of file descriptors: its RLIMIT_NOFILE is lowered from outside and it opens files until
// there are no more. The evidence is the EMFILE that it saw.
type FDs struct {
	Limit int `yaml:"limit,scalar" zero:"no descriptor at all: want at least 1" doc:"RLIMIT_NOFILE of the victim meanwhile. Default 64."`
}

func (f FDs) limit() int { return cmp.Or(f.Limit, 64) }

func (f FDs) String() string { return fmt.Sprintf("fds %d", f.limit()) }

// Validate wants a positive limit.
func (f FDs) Validate() error {
	if f.Limit < 0 {
		return fmt.Errorf("fds limit %d: want a positive number, or 0 for 64", f.Limit)
	}
	return nil
}

// Traits implements chaos.Fault.
func (FDs) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (f FDs) Begin() chaos.Injection { return &exhaustingFDs{FDs: f} }
