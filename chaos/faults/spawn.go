package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Spawn makes the members to come fail to boot, or boot slowly. Something else has to end members meanwhile. The
// evidence is the count of boots that failed, or were slow, because of it.
type Spawn struct {
	Fail  int           `yaml:"fail,scalar" doc:"So many boots fail."`
	Delay time.Duration `yaml:"delay" doc:"Boots take at least so long."`
	For   time.Duration `yaml:"for" zero:"no time: want a time such as 5s" doc:"How long slow boots last. Default: until the other faults are over and the target has recovered."`
}

func (s Spawn) String() string {
	text := "spawn"
	if s.Fail != 0 {
		text += fmt.Sprintf(" fail %d", s.Fail)
	}
	return text + but("delay", s.Delay) + but("for", s.For)
}

// Validate wants something to happen.
func (s Spawn) Validate() error {
	if s.Fail < 0 || s.Delay < 0 || s.For < 0 || s.Fail == 0 && s.Delay == 0 {
		return errors.New("want fail (so many boots) or delay (how long they take), not negative")
	}
	return nil
}

// Traits implements chaos.Fault.
func (s Spawn) Traits() chaos.Traits {
	return chaos.Traits{Whole: true, Ends: []string{"boot"}, OpenEnded: s.Delay > 0 && s.For == 0}
}

// Begin makes an injection.
func (s Spawn) Begin() chaos.Injection { return &spoiling{Spawn: s} }

type spoiling struct {
	chaos.Steps
	Spawn
	booter         chaos.Booter
	release        func() // lets go of the boots
	failed, slowed int    // before
}

func (s *spoiling) Setup(_ context.Context, c *chaos.Case) (err error) {
	if s.booter, err = chaos.Capability[chaos.Booter](c, "let boots fail"); err != nil {
		return err
	}
	release, ok := c.Claim("boots")
	if !ok {
		return chaos.Refuse("another spawn is going on: give it fail and delay together, or let this one begin later")
	}
	s.release = release
	return nil
}

func (s *spoiling) Inject(context.Context, *chaos.Case) error {
	s.failed, s.slowed = s.booter.Boots()
	return s.booter.SetBoot(s.Fail, s.Delay)
}

// spawnWait is how long after the chaos the boots may take to fail that are to fail, for a pool backs off between them,
// and the target to recover from slow ones.
const spawnWait = 30 * time.Second

func (s *spoiling) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	end, open := c.Until, s.Traits().OpenEnded
	if s.For > 0 {
		end = c.Now() + s.For
	}
	for {
		pending := open && c.Pending()
		if pending {
			end = max(end, c.Now())
		}
		late := c.Now() >= end+spawnWait
		over := late || c.Now() >= end && !pending && (!open || c.Recovered(ctx))
		failed, slowed := s.booter.Boots() // no sooner: the last one may boot just now
		failed, slowed = failed-s.failed, slowed-s.slowed
		r := history.Receipt{
			Tier: "boots", At: c.Now(),
			Evidence: map[string]string{"failed": fmt.Sprint(failed), "slowed": fmt.Sprint(slowed)},
		}
		switch {
		case s.Delay == 0 && failed >= s.Fail, over && s.Delay > 0 && slowed > 0 && failed >= s.Fail:
			return r, nil
		case over && s.Delay > 0 && slowed == 0:
			return r, errors.New("no member booted meanwhile")
		case late:
			return r, fmt.Errorf("%d of %d boots failed", failed, s.Fail)
		}
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return r, err
		}
	}
}

func (s *spoiling) Heal(context.Context, *chaos.Case) error { return s.booter.SetBoot(0, 0) }

func (s *spoiling) Cleanup(context.Context, *chaos.Case) error {
	if s.release != nil {
		s.release()
	}
	return nil
}
