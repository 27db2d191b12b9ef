package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/pool"
	sdks "github.com/respawn-go/respawn/workers"
)

// External is the pool with Python workers.
type External struct {
	TasksSJSON  float64 `json:"tasks_s_json,omitempty"`  // one submitter, an integer as JSON
	TasksSBytes float64 `json:"tasks_s_bytes,omitempty"` // one submitter, eight bytes
	RoundtripUS float64 `json:"roundtrip_us,omitempty"`  // one task at a time, JSON
	// processor time in which a worker takes the ticket of a task
	TicketUS       float64 `json:"ticket_us,omitempty"`
	EchoMBS        float64 `json:"echo_mb_s,omitempty"`        // 16 MiB there and back, in plus out
	RespawnSpareMS float64 `json:"respawn_spare_ms,omitempty"` // SIGKILL to a probe answered by a hot spare
	StormOK        int     `json:"storm_ok"`                   // of 400 tasks in a storm of kills, the worst run
}

// CPython is CPython's own pools, with the same function and as many workers.
type CPython struct {
	PoolTasksS      float64 `json:"pool_tasks_s,omitempty"`     // multiprocessing.Pool, single tasks
	ExecutorTasksS  float64 `json:"executor_tasks_s,omitempty"` // ProcessPoolExecutor, single tasks
	PoolRoundtripUS float64 `json:"pool_roundtrip_us,omitempty"`
	PoolEchoMBS     float64 `json:"pool_echo_mb_s,omitempty"`

	// a byte to another Python process and back, without any pool
	SocketRoundtripUS float64 `json:"socket_roundtrip_us,omitempty"`
}

//go:embed external_worker.py
var externalWorker []byte

//go:embed external_cpython.py
var externalCPython string

const (
	externalTasks     = 100_000
	externalRoundtrip = 2_000
	externalSpares    = 4
	externalRespawns  = 10
	externalTickets   = 1_000 // as many fit into a pipe
)

// The tasks of external_worker.py.
var (
	externalSquare = pool.External[int, int]("square")
	externalBytes  = pool.External[[]byte, []byte]("square_bytes")
	externalEcho   = pool.External[[]byte, []byte]("echo")
	externalNap    = pool.External[int, int]("nap")
	externalPID    = pool.External[int, int]("pid")
	externalTicket = pool.External[int, int]("ticket")
)

// measureExternal measures the pool with Python workers, and beside it CPython's own pools and the raw socket pair.
func measureExternal(ctx context.Context, s *session) error {
	if _, err := exec.LookPath("python3"); err != nil {
		s.note("no python3: workers in Python were not measured")
		return nil
	}
	dir, err := os.MkdirTemp("", "respawn-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "worker.py")
	if err := errors.Join(sdks.WritePython(dir), os.WriteFile(script, externalWorker, 0o600)); err != nil {
		return err
	}
	cfg := pool.Config{Size: workers, Command: []string{"python3", script}, Env: []string{"PYTHONDONTWRITEBYTECODE=1"}}
	var e External
	var c CPython
	for _, measure := range []func(context.Context, *session, pool.Config, *External, *CPython) error{
		measureExternalSpeed, measureExternalDeaths,
	} {
		if err := measure(ctx, s, cfg, &e, &c); err != nil {
			return err
		}
	}
	s.External, s.CPython = &e, &c
	return nil
}

// measureExternalSpeed takes ours and theirs in turns.
func measureExternalSpeed(ctx context.Context, s *session, cfg pool.Config, e *External, c *CPython) error {
	p, err := pool.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Terminate()
	arg := bytes.Repeat([]byte("sixteen bytes.. "), echoSize/16)
	echo := func(arg []byte) ([]byte, func(), error) {
		back, err := externalEcho.Call(ctx, p, arg)
		return back, func() {}, err
	}
	if _, err := echoes(echoPerRun, arg, echo); err != nil { // touches the memory
		return err
	}
	figures := map[*float64][]float64{}
	err = s.each(ctx, func() error {
		add := func(to *float64, v float64) { figures[to] = append(figures[to], v) }
		ping, err := floor.PingPong(ctx, roundtripPerRun)
		if err != nil {
			return err
		}
		add(&s.Floor.PingPongUS, us(median(ping)))
		theirs, err := cpythonFigures(ctx)
		if err != nil {
			return err
		}
		add(&c.PoolTasksS, theirs.PoolTasksS)
		add(&c.ExecutorTasksS, theirs.ExecutorTasksS)
		add(&c.PoolRoundtripUS, theirs.PoolRoundtripUS)
		add(&c.PoolEchoMBS, theirs.PoolEchoMBS)
		add(&c.SocketRoundtripUS, theirs.SocketRoundtripUS)
		took, err := externalFlood(ctx, p, externalSquare, func(n int) int { return n },
			func(n, v int) bool { return v == n*n })
		if err != nil {
			return err
		}
		add(&e.TasksSJSON, externalTasks/took.Seconds())
		if took, err = externalFlood(ctx, p, externalBytes, asBytes,
			func(n int, v []byte) bool { return bytes.Equal(v, asBytes(n*n)) }); err != nil {
			return err
		}
		add(&e.TasksSBytes, externalTasks/took.Seconds())
		trips := make([]time.Duration, 0, externalRoundtrip)
		for i := range externalRoundtrip {
			began := time.Now()
			if v, err := externalSquare.Call(ctx, p, i); err != nil || v != i*i {
				return fmt.Errorf("task %d answered %d: %w", i, v, err)
			}
			trips = append(trips, time.Since(began))
		}
		add(&e.RoundtripUS, us(median(trips)))
		ticket, err := externalTicket.Call(ctx, p, externalTickets)
		if err != nil {
			return err
		}
		add(&e.TicketUS, us(time.Duration(ticket)))
		samples, err := echoes(echoPerRun, arg, echo)
		if err != nil {
			return err
		}
		add(&e.EchoMBS, 2*echoSize/1e6/median(samples).Seconds())
		return nil
	})
	for to, values := range figures {
		*to = median(values)
	}
	return err
}

func asBytes(n int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// externalFlood submits from one goroutine, as flood does.
func externalFlood[In, Out any](ctx context.Context, p *pool.Pool, task pool.Task[In, Out], in func(int) In,
	right func(int, Out) bool,
) (time.Duration, error) {
	var open [ahead]*pool.Future[Out]
	collect := func(i int) error {
		v, err := open[i%ahead].Result(ctx)
		if err == nil && !right(i, v) {
			err = fmt.Errorf("task %d answered %v", i, v)
		}
		return err
	}
	began := time.Now()
	for i := range externalTasks {
		if i >= ahead {
			if err := collect(i - ahead); err != nil {
				return 0, err
			}
		}
		open[i%ahead] = task.Submit(context.Background(), p, in(i))
	}
	for i := externalTasks - ahead; i < externalTasks; i++ {
		if err := collect(i); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// cpythonFigures runs CPython's own pools once.
func cpythonFigures(ctx context.Context) (c CPython, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", externalCPython, fmt.Sprint(workers), fmt.Sprint(cpythonTasks),
		fmt.Sprint(echoSize))
	confine(cmd)
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("CPython's pools: %w", err)
	}
	return c, json.Unmarshal(out, &c)
}

// measureExternalDeaths kills workers that have hot spares behind them: one by one, and in a storm.
func measureExternalDeaths(ctx context.Context, s *session, cfg pool.Config, e *External, _ *CPython) error {
	cfg.Spares, cfg.Budgets.Killed = externalSpares, 1000
	p, err := pool.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Terminate()
	var took []time.Duration
	for i := range externalRespawns {
		if err := settled(ctx, p, externalSpares); err != nil {
			return err
		}
		one, err := externalRespawn(ctx, p, i%workers)
		if err != nil {
			return err
		}
		took = append(took, one)
	}
	e.RespawnSpareMS = 1e3 * median(took).Seconds()
	e.StormOK = stormTasks
	random := rand.New(rand.NewPCG(s.Seed, 7))
	for range s.runs {
		ok, err := externalStorm(ctx, p, random)
		if err != nil {
			return err
		}
		if e.StormOK = min(e.StormOK, ok); ok != stormTasks {
			s.problem("storm over Python workers: %d of %d tasks gave their values", ok, stormTasks)
		}
	}
	return nil
}

// externalRespawn times from SIGKILL of an idle worker until its slot's next one has answered.
func externalRespawn(ctx context.Context, p *pool.Pool, slot int) (time.Duration, error) {
	w, _ := inSlot(p, slot)
	kill, err := aim(p, w)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := kill(); err != nil {
		return 0, err
	}
	for pid := w.PID; pid == w.PID; {
		if pid, err = externalPID.Call(ctx, p, 0, pool.OnSlot(slot)); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// externalStorm counts the tasks that gave their values while workers were killed, and sees to it that every slot
// answers after.
func externalStorm(ctx context.Context, p *pool.Pool, random *rand.Rand) (ok int, err error) {
	stop, kills := make(chan struct{}), make(chan int, 1)
	go func() { kills <- rage(p, random, stop) }()
	var futures []*pool.Future[int]
	for n := range stormTasks {
		futures = append(futures, externalNap.Submit(ctx, p, n))
	}
	within, cancel := context.WithTimeout(ctx, 4*stormWithin)
	defer cancel()
	for n, f := range futures {
		if v, err := f.Result(within); err == nil && v == n*n {
			ok++
		}
	}
	close(stop)
	<-kills
	for slot := range p.Size() {
		if _, err := externalPID.Call(within, p, 0, pool.OnSlot(slot)); err != nil {
			return ok, fmt.Errorf("after the storm slot %d: %w", slot, err)
		}
	}
	return ok, ctx.Err()
}
