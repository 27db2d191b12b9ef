package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// Memory holds the victim's memory near its limit for a while, without ending it. The evidence is the group's usage over
// that time, and an oom_kill counter that has not grown.
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
	limit int64
	kills uint64
}

// pressureSpace is the limit of a victim that has none, above what it uses.
const pressureSpace = 128 << 20

func (p *pressing) Setup(ctx context.Context, c *Case) error {
	if err := p.stressing.Setup(ctx, c); err != nil {
		return err
	}
	return p.take(c, cgroup.Memory)
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
	p.begin(ctx, c, Stress{Kind: "alloc", Bytes: more, Hold: p.length()})
	return nil
}

// Confirm wants the usage within a tenth of the target for as long as the victim says that it holds it.
func (p *pressing) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "cgroup usage", Mechanism: p.mechanism(cgroup.Memory), Evidence: map[string]string{}}
	var highest int64
	reached := time.Time{}
	for held := false; !held; {
		select {
		case <-c.Victim.Exited():
			return r, errors.New("the victim ended under pressure that was to leave it alive")
		case <-ctx.Done():
			return r, ctx.Err()
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

func (p *pressing) Heal(context.Context, *Case) error { return p.release() }

func (p *pressing) Cleanup(ctx context.Context, c *Case) error {
	return errors.Join(p.stressing.Cleanup(ctx, c), p.release())
}
