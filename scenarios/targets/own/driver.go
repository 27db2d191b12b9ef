package own

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/own/tasks"
)

// Version is what the driver around our own pool says of itself. The program sets it at its start: runtime/debug, which
// knows, would make this package, and so every worker of the command, wait for packages that they do not need.
var Version = "(devel)"

// AsDriver is a driver around our own pool: this program, executed again. The pool's parent is then another process,
// which can be killed, and the pool is reached by the same protocol as those written elsewhere. The program calls
// pool.Main first.
func AsDriver(size int, witness string) driver.Command {
	return driver.Command{
		Argv: []string{reexec.Program}, Env: []string{reexec.Driver.Env + "=" + Version}, Size: size, Witness: witness,
	}
}

// A process that is marked as a driver is one. It tells the version that its parent has.
var _ = reexec.Driver.Serve(func(version string) {
	Version = version
	if err := serveDriver(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "respawn driver:", err)
		os.Exit(1)
	}
})

// driverRequest and driverAnswer are the lines of docs/drivers.md.
type driverRequest struct {
	Op      string          `json:"op"`
	Size    int             `json:"size"`
	Witness string          `json:"witness"`
	ID      uint64          `json:"id"`
	Task    string          `json:"task"`
	Arg     json.RawMessage `json:"arg"`
}

type driverAnswer struct {
	Op       string   `json:"op"`
	Protocol int      `json:"protocol,omitempty"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Can      []string `json:"can,omitempty"`
	PIDs     []int    `json:"pids,omitempty"`
	ID       *uint64  `json:"id,omitempty"`
	Value    *int64   `json:"value,omitempty"`
	PID      int      `json:"pid,omitempty"`
	Error    string   `json:"error,omitempty"`
}

// asDriver is the driver's side of the protocol.
type asDriver struct {
	pool    *pool.Pool
	witness string
	command []string // of workers of another language
	mu      sync.Mutex
	out     *json.Encoder
}

// serveDriver answers requests until the input ends or asks to stop.
func serveDriver(in io.Reader, out io.Writer) error {
	command, err := driverCommand()
	if err != nil {
		return err
	}
	d := &asDriver{command: command, out: json.NewEncoder(out)}
	defer func() {
		if d.pool != nil {
			d.pool.Terminate()
		}
	}()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q driverRequest
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("not a request: %w", err)
		}
		over, err := d.answer(q)
		if over || err != nil {
			return err
		}
	}
	return lines.Err()
}

func (d *asDriver) say(a driverAnswer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.out.Encode(a) // a harness that is gone does not listen: the input ends next
}

func (d *asDriver) answer(q driverRequest) (over bool, err error) {
	switch {
	case q.Op == "hello":
		d.say(driverAnswer{
			Op: "hello", Protocol: 1, Name: "respawn", Version: Version, Can: []string{"workers", "pid", "witness"},
		})
	case q.Op == "start":
		d.witness = q.Witness
		if d.pool, err = pool.New(context.Background(), pool.Config{Size: q.Size, Command: d.command}); err != nil {
			return true, err
		}
		d.say(driverAnswer{Op: "ready", PIDs: d.pids()})
	case d.pool == nil:
		d.say(driverAnswer{Op: "error", Error: q.Op + " before start"})
	case q.Op == "submit":
		d.submit(q)
	case q.Op == "workers":
		d.say(driverAnswer{Op: "workers", PIDs: d.pids()})
	case q.Op == "stop":
		err := d.pool.Close()
		d.say(driverAnswer{Op: "stopped"})
		return true, err
	default:
		d.say(driverAnswer{Op: "error", Error: fmt.Sprintf("unknown op %q", q.Op)})
	}
	return false, nil
}

func (d *asDriver) submit(q driverRequest) {
	var arg struct {
		MS float64 `json:"ms"`
		N  *int64  `json:"n"`
	}
	err := json.Unmarshal(q.Arg, &arg)
	switch {
	case q.Task != "square" && q.Task != "sleep":
		err = fmt.Errorf("unknown task %q: want square or sleep", q.Task)
	case err == nil && arg.N == nil:
		err = errors.New("the argument has no n")
	}
	if err != nil {
		d.say(driverAnswer{Op: "error", ID: &q.ID, Error: err.Error()})
		return
	}
	hold := time.Duration(arg.MS * float64(time.Millisecond))
	go d.settle(q.ID, tasks.For(d.command).Driven.Submit(context.Background(), d.pool,
		tasks.Driven{ID: q.ID, Witness: d.witness, Hold: hold, N: *arg.N}))
}

func (d *asDriver) settle(id uint64, f *pool.Future[int64]) {
	v, err := f.Result(context.Background())
	if err != nil {
		d.say(driverAnswer{Op: "error", ID: &id, Error: err.Error()})
		return
	}
	d.say(driverAnswer{Op: "result", ID: &id, Value: &v, PID: f.Outcome().PID})
}

func (d *asDriver) pids() (list []int) {
	for _, w := range d.pool.Workers() {
		if w.State <= pool.Ready && w.PID != 0 {
			list = append(list, w.PID)
		}
	}
	return list
}
