package bench

import (
	"context"
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

// measureStorm kills a random worker every 50 ms while 400 tasks of 20 ms run on four.
func measureStorm(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	st := &Storm{Tasks: stormTasks, IdealS: (stormTasks / workers * stormTask).Seconds()}
	stop, kills := make(chan struct{}), make(chan int, 1)
	began := time.Now()
	go func() { kills <- rage(p, rand.New(rand.NewPCG(s.Seed, 2)), stop) }()
	st.collect(ctx, p)
	st.WallS = time.Since(began).Seconds()
	close(stop)
	st.Kills = <-kills
	if ctx.Err() != nil {
		return ctx.Err()
	}
	within, cancel := context.WithTimeout(ctx, stormWithin)
	defer cancel()
	st.UsableAfter = probeAll(within, p) == nil
	s.Storm = st
	if st.OK != st.Tasks || st.Failed+st.Lost+st.Duplicated > 0 || !st.UsableAfter {
		s.problem("storm: %d ok, %d failed, %d lost, %d duplicated of %d; usable after: %t",
			st.OK, st.Failed, st.Lost, st.Duplicated, st.Tasks, st.UsableAfter)
	}
	return nil
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
