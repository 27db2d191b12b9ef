package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// Memory holds the victim's memory near its limit for a while, without ending it: the victim allocates by itself where the
// target can make it, and else a hog in its group does. The evidence is the group's usage over that time, and an oom_kill
// counter that has not grown.
type Memory struct {
	Of  float64       `doc:"Share of the victim's memory limit. Default 0.8."`
	For time.Duration `doc:"How long. Default 1s."`
}

func (m Memory) of() float64 {
	if m.Of == 0 {
		return 0.8
	}
	return m.Of
}

func (m Memory) length() time.Duration {
	if m.For == 0 {
		return time.Second
	}
	return m.For
}

func (m Memory) String() string { return fmt.Sprintf("memory %g%% for %v", m.of()*100, m.length()) }

// Validate wants a share that leaves room.
func (m Memory) Validate() error {
	if m.Of < 0 || m.Of > 0.95 || m.For < 0 {
		return fmt.Errorf("memory at %g%% for %v: want up to 95%% of the limit, or 0 for 80%%, and a positive duration", m.Of*100, m.For)
	}
	return nil
}

// Begin makes an injection.
func (m Memory) Begin() Injection { return &pressing{Memory: m} }

type pressing struct {
	Memory
	stressing
	limiting
	hog   *hog  // for a victim that cannot be told to allocate; else nil
	taken int64 // what the hog takes, bytes
	limit int64
	kills uint64
}

// pressureSpace is the limit of a victim that has none, above what it uses.
const pressureSpace = 128 << 20

func (p *pressing) Setup(ctx context.Context, c *Case) error {
	canAllocate := p.stressing.Setup(ctx, c) == nil
	if err := p.take(c, cgroup.Memory); err != nil || canAllocate {
		return err
	}
	var err error
	p.hog, err = startHog(ctx, p.group, takeMeFirst)
	return err
}

func (p *pressing) Inject(ctx context.Context, c *Case) (err error) {
	used, err := p.group.MemoryCurrent()
	if err != nil {
		return err
	}
	if p.limit, err = p.group.MemoryMax(); err != nil {
		return err
	}
	if p.limit == 0 {
		p.limit = used + pressureSpace
		if err := p.group.SetMemoryMax(p.limit); err != nil {
			return err
		}
	}
	if p.kills, err = p.group.OOMKills(); err != nil {
		return err
	}
	more := int64(p.of()*float64(p.limit)) - used
	if more <= 0 {
		return refuse("the victim uses %d bytes already, more than %g%% of its limit of %d", used, p.of()*100, p.limit)
	}
	if p.hog != nil {
		p.taken = more
		return p.hog.tell(holdBytes, more)
	}
	p.begin(ctx, c, Stress{Kind: "alloc", Bytes: more, Hold: p.length()})
	return nil
}

// Confirm wants the usage within a tenth of the target for as long as the victim says that it holds it, or
// as the hog is to.
func (p *pressing) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "cgroup usage", Mechanism: p.mechanism(cgroup.Memory), Evidence: map[string]string{}}
	var highest int64
	reached := time.Time{}
	var over <-chan time.Time // for the hog, which does not say when it has what it was to take
	var hogEnded chan struct{}
	if p.hog != nil {
		over, hogEnded = time.After(fatalWait), p.hog.ended
	}
	for held := false; !held; {
		select {
		case <-c.Victim.Exited():
			return r, errors.New("the victim ended under pressure that was to leave it alive")
		case <-ctx.Done():
			return r, ctx.Err()
		case <-hogEnded:
			return r, errors.New("the hog ended before it had held the memory for as long as it was to")
		case <-over:
			held = true
		case <-p.done:
			held = true
		case <-time.After(10 * time.Millisecond):
		}
		used, err := p.group.MemoryCurrent()
		if err != nil {
			return r, err
		}
		highest = max(highest, used)
		if reached.IsZero() && float64(used) >= 0.9*p.of()*float64(p.limit) {
			reached, r.At = time.Now(), c.Now()
			if p.hog != nil {
				over = time.After(p.length())
				r.Evidence["hog"] = fmt.Sprintf("took %d bytes", p.taken)
			}
		}
	}
	kills, err := p.group.OOMKills()
	r.Evidence["usage"] = fmt.Sprintf("%d of %d bytes", highest, p.limit)
	r.Evidence["oom_kill"] = fmt.Sprintf("%d → %d", p.kills, kills)
	switch {
	case err != nil || p.err != nil:
		return r, errors.Join(err, p.err)
	case reached.IsZero():
		return r, fmt.Errorf("the victim's usage came to %d bytes, not to %g%% of %d", highest, p.of()*100, p.limit)
	case kills != p.kills:
		return r, errors.New("the kernel's OOM killer struck under pressure that was to leave everything alive")
	}
	r.Evidence["held"] = time.Since(reached).Round(time.Millisecond).String()
	return r, nil
}

func (p *pressing) Heal(context.Context, *Case) error {
	if p.hog != nil {
		p.hog.stop() // before its group is emptied
	}
	return p.release()
}

func (p *pressing) Cleanup(ctx context.Context, c *Case) error {
	return errors.Join(p.stressing.Cleanup(ctx, c), p.Heal(ctx, c))
}
