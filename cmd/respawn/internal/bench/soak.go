package bench

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/respawn-go/respawn/pool"
)

const soakTasks = 10_000_000

// measureSoak sends ten million tasks through one pool and compares its end with its beginning.
func measureSoak(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	last := time.Now()
	var tenths []time.Duration
	var early, late float64
	_, err = flood(ctx, p, soakTasks, func() {
		tenths = append(tenths, time.Since(last))
		switch len(tenths) {
		case 1:
			early = resident(p)
		case 10:
			late = resident(p)
		}
		last = time.Now()
	})
	if err != nil {
		return err
	}
	s.Soak = &Soak{
		Tasks: soakTasks, TailOverHead: tenths[0].Seconds() / tenths[9].Seconds(), RSSGrowthMB: (late - early) / 1024,
	}
	return nil
}

// resident is what this process and the workers hold, in kibibytes, once garbage is collected here.
func resident(p *pool.Pool) float64 {
	debug.FreeOSMemory()
	sum, _ := residentSet(os.Getpid())
	for _, w := range p.Workers() {
		kb, _ := residentSet(w.PID)
		sum += kb
	}
	return sum
}
