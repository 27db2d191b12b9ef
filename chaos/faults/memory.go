package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// Memory holds the victim's memory near its limit for a while, without ending it: the victim allocates by itself where
// the target can make it, and else a hog in its group does. The evidence is the group's lowest usage over that time,
// and an oom_kill counter that has not grown.
type Memory struct {
	Of  float64       `yaml:"of,scalar" zero:"no pressure: want up to 95%" doc:"Of the victim's limit. Default 80%."`
	For time.Duration `yaml:"for" zero:"no time: want a time such as 1s" doc:"Default 1s."`
}

func (m Memory) of() float64 { return cmp.Or(m.Of, 0.8) }

func (m Memory) length() time.Duration { return cmp.Or(m.For, time.Second) }

func (m Memory) String() string { return fmt.Sprintf("memory %g%% for %v", m.of()*100, m.length()) }

// Validate wants a share that leaves room.
func (m Memory) Validate() error {
	if m.Of < 0 || m.Of > 0.95 || m.For < 0 {
		return fmt.Errorf("memory at %g%% for %v: want up to 95%% of the limit, or 0 for 80%%, and a positive duration",
			m.Of*100, m.For)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Memory) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (m Memory) Begin() chaos.Injection { return &pressing{Memory: m} }

type pressing struct {
	Memory
	filling
	more  int64     // what the victim or the hog is to take, bytes
	began time.Time // before either was told to
	limit int64
	kills uint64
}

// pressureSpace is the limit of a victim that has none, above what it uses.
const pressureSpace = 128 << 20

func (p *pressing) Setup(ctx context.Context, c *chaos.Case) error {
	return p.prepare(ctx, c, takeMeFirst)
}

func (p *pressing) Inject(ctx context.Context, c *chaos.Case) (err error) {
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
	p.more, p.began = int64(p.of()*float64(p.limit))-used, time.Now()
	if p.more <= 0 {
		return chaos.Refuse("the victim uses %d bytes already, more than %g%% of its limit of %d",
			used, p.of()*100, p.limit)
	}
	if p.hog != nil {
		return p.hog.tell(holdBytes, p.more)
	}
	p.begin(ctx, c, chaos.Stress{Kind: "alloc", Bytes: p.more, Hold: p.length()})
	return nil
}

// Confirm wants the usage within a tenth of the target for as long as the victim is to hold it, or the hog.
func (p *pressing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "cgroup usage", Mechanism: p.mechanism(cgroup.Memory), Evidence: map[string]string{}}
	u := pressure{
		floor: int64(0.9 * p.of() * float64(p.limit)), length: p.length(), lowest: math.MaxInt64, notBefore: p.began,
	}
	err := p.watch(ctx, c, &u, &r)
	if u.lowest <= u.highest {
		r.Evidence["usage"] = fmt.Sprintf("%d to %d of %d bytes", u.lowest, u.highest, p.limit)
	}
	if err != nil {
		return r, err
	}
	kills, err := p.group.OOMKills()
	r.Evidence["oom_kill"] = fmt.Sprintf("%d → %d", p.kills, kills)
	switch {
	case err != nil || p.err != nil:
		return r, errors.Join(err, p.err)
	case kills != p.kills:
		return r, errors.New("the kernel's OOM killer struck under pressure that was to leave everything alive")
	case u.reached.IsZero():
		return r, fmt.Errorf("the victim's usage came to %d bytes, not to %g%% of %d", u.highest, p.of()*100, p.limit)
	case u.lowest < u.floor:
		return r, fmt.Errorf("the victim's usage fell to %d bytes within the %v for which %g%% of %d was to be held",
			u.lowest, p.length(), p.of()*100, p.limit)
	}
	r.Evidence["held"] = time.Since(u.reached).Round(time.Millisecond).String()
	return r, nil
}

var errEndedUnderPressure = errors.New("the victim ended under pressure that was to leave it alive")

// watch looks at the usage until the victim answers, which it does when it has held the memory, or until the hog has
// had all for long enough. It tells the receipt when the pressure was there, and what the hog took.
func (p *pressing) watch(ctx context.Context, c *chaos.Case, u *pressure, r *history.Receipt) error {
	var ended <-chan struct{}
	var took <-chan int64
	var late, over <-chan time.Time
	var answered time.Time
	if p.hog != nil {
		ended, took, late = p.hog.ended, p.hog.took, time.After(fatalWait)
	}
	for held := false; !held; {
		select {
		case <-c.Victim.Exited():
			return errEndedUnderPressure
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errors.New("the hog ended before it had held the memory for as long as it was to")
		case <-late:
			return fmt.Errorf("the hog has not taken its %d bytes after %v", p.more, fatalWait)
		case n := <-took:
			r.Evidence["hog"] = fmt.Sprintf("took %d bytes", n)
			if n < p.more {
				return fmt.Errorf("the hog took %d of %d bytes: it got no more", n, p.more)
			}
			u.reached, r.At = time.Now(), c.Now()
			late, over = nil, time.After(p.length())
		case <-over:
			held = true
		case <-p.done:
			held, answered = true, time.Now()
		case <-time.After(10 * time.Millisecond):
		}
		before := time.Now()
		used, err := p.group.MemoryCurrent()
		switch {
		case errors.Is(err, fs.ErrNotExist): // its pool has removed the group by now
			return errEndedUnderPressure
		case err != nil:
			return err
		}
		if now := time.Now(); p.hog != nil {
			u.see(used, !u.reached.IsZero())
		} else if u.reaches(used, before, now) {
			r.At = c.Now()
		}
	}
	if p.hog == nil && p.err == nil && u.early(answered) {
		return fmt.Errorf("the victim answered %q before it can have held the memory for %v", p.answer.Text, p.length())
	}
	return nil
}

// pressure is what is seen of a group's usage. The window, in which it must not fall, is known where a hog holds the
// memory: from its word that it has it until it is stopped. A victim holds it by itself, for length from when it has
// all, and frees it before its answer is here. When that was is only known to be after the last look that found too
// little, so what is seen later than length after that look may be of another time, and does not count, however late
// the harness comes to look.
type pressure struct {
	floor     int64         // what counts as the target, bytes
	length    time.Duration // of the window
	highest   int64         // of all that was seen, bytes
	lowest    int64         // within the window, bytes; the most there is before
	notBefore time.Time     // a victim's window began after this
	reached   time.Time     // when it was seen that the window had begun; zero before
}

// see takes a look into account.
func (u *pressure) see(used int64, within bool) {
	u.highest = max(u.highest, used)
	if within {
		u.lowest = min(u.lowest, used)
	}
}

// reaches takes a look at a victim, made between two times, into account, and says whether it is the first to find
// enough.
func (u *pressure) reaches(used int64, from, to time.Time) (first bool) {
	if u.reached.IsZero() {
		if first = used >= u.floor; first {
			u.reached = to
		} else {
			u.notBefore = from
		}
	}
	u.see(used, first || u.early(to))
	return first
}

// early says that a victim's window began and is certainly not over.
func (u *pressure) early(now time.Time) bool {
	return !u.reached.IsZero() && now.Sub(u.notBefore) < u.length
}

func (p *pressing) Heal(context.Context, *chaos.Case) error {
	if p.hog != nil {
		p.hog.stop() // before its group is emptied
	}
	return p.release()
}

func (p *pressing) Cleanup(ctx context.Context, c *chaos.Case) error {
	return errors.Join(p.stressing.Cleanup(ctx, c), p.Heal(ctx, c))
}
