package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/pool"
)

const (
	stormTasks  = 400
	stormTask   = 20 * time.Millisecond
	stormEvery  = 50 * time.Millisecond
	stormWithin = 30 * time.Second // what has no outcome by then is lost
)

// measureStorm kills a random worker every 50 ms while 400 tasks of 20 ms run on four; a new pool and other victims in
// each run.
func measureStorm(ctx context.Context, s *session) error {
	var storms []Storm
	clean := 0
	err := s.each(ctx, func() error {
		st, err := oneStorm(ctx, rand.New(rand.NewPCG(s.Seed, uint64(len(storms)+2))))
		if err != nil {
			return err
		}
		if storms = append(storms, st); st.clean() {
			clean++
		} else {
			s.problem("storm %d: %s", len(storms), st)
		}
		return nil
	})
	if len(storms) > 0 {
		s.Storm = summary(storms)
		s.note("storm: %d of %d runs gave every task its one outcome and left every slot usable", clean, len(storms))
	}
	return err
}

// oneStorm is one run.
func oneStorm(ctx context.Context, random *rand.Rand) (st Storm, err error) {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return st, err
	}
	defer p.Terminate()
	st = Storm{Tasks: stormTasks, IdealS: (stormTasks / workers * stormTask).Seconds()}
	stop, kills := make(chan struct{}), make(chan int, 1)
	began := time.Now()
	go func() { kills <- rage(p, random, stop) }()
	st.collect(ctx, p)
	st.WallS = time.Since(began).Seconds()
	close(stop)
	st.Kills = <-kills
	if ctx.Err() != nil {
		return st, ctx.Err()
	}
	within, cancel := context.WithTimeout(ctx, stormWithin)
	defer cancel()
	st.UsableAfter = probeAll(within, p) == nil
	return st, nil
}

// clean tells whether nothing went wrong.
func (st Storm) clean() bool {
	return st.OK == st.Tasks && st.Failed+st.Lost+st.Duplicated == 0 && st.UsableAfter
}

func (st Storm) String() string {
	return fmt.Sprintf("%d ok / %d failed / %d lost / %d duplicated of %d, usable after: %t",
		st.OK, st.Failed, st.Lost, st.Duplicated, st.Tasks, st.UsableAfter)
}

// summary has the median of what is measured and the worst of what is counted.
func summary(storms []Storm) *Storm {
	sum := storms[0]
	var walls, kills []float64
	for _, st := range storms {
		sum.OK = min(sum.OK, st.OK)
		sum.Failed = max(sum.Failed, st.Failed)
		sum.Lost = max(sum.Lost, st.Lost)
		sum.Duplicated = max(sum.Duplicated, st.Duplicated)
		sum.UsableAfter = sum.UsableAfter && st.UsableAfter
		walls, kills = append(walls, st.WallS), append(kills, float64(st.Kills))
	}
	sum.WallS, sum.Kills = median(walls), int(median(kills))
	return &sum
}

// rage kills a random worker at every tick and returns how many.
func rage(p *pool.Pool, random *rand.Rand, stop <-chan struct{}) (kills int) {
	tick := time.NewTicker(stormEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return kills
		}
		if all := p.Workers(); len(all) > 0 && kill(p, all[random.IntN(len(all))]) {
			kills++
		}
	}
}

// collect runs the tasks and counts their outcomes by value, which the pool cannot mistake for one another.
func (st *Storm) collect(ctx context.Context, p *pool.Pool) {
	ctx, cancel := context.WithTimeout(ctx, stormWithin)
	defer cancel()
	seen := make(map[int]int, stormTasks)
	outcomes := make(chan int, 2*stormTasks)
	for n := range stormTasks {
		f := work.Nap.Submit(ctx, p, work.NapArg{N: n, For: stormTask})
		go func() {
			v, err := f.Result(context.Background())
			if err != nil {
				v = -1
			}
			outcomes <- v
		}()
	}
	for range stormTasks {
		select {
		case v := <-outcomes:
			seen[v]++
		case <-time.After(stormWithin + time.Second):
			st.count(seen)
			return
		}
	}
	st.count(seen)
	st.Duplicated += int(p.Stats().Settled) - workers - stormTasks // the probes before it, and the tasks
}

func (st *Storm) count(seen map[int]int) {
	outcomes := 0
	for n := range stormTasks {
		if seen[n*n] > 0 {
			st.OK++
			st.Duplicated += seen[n*n] - 1
		}
		outcomes += seen[n*n]
	}
	st.Failed = seen[-1]
	st.Lost = stormTasks - st.OK - st.Failed
}
