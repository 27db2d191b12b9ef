// Package driver talks to drivers: programs that wrap a pool written elsewhere and speak one JSON object a line. The
// protocol is docs/drivers.md.
//
// A driver is not trusted. Whatever it prints, holds back or leaves behind becomes a [Violation] with the line that
// shows it; nothing here waits for a driver without a bound, and nothing of it is left after Close.
package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// ErrClosed is the outcome of tasks that a driver still had when it was stopped or closed, and of requests after that.
var ErrClosed = errors.New("driver: closed")

// Command says how a driver is started.
type Command struct {
	// Kind is what the target is, for the history. Default: driver.
	Kind string
	// Argv is the driver and its arguments. It is never given to a shell.
	Argv []string
	// Dir is its working directory. Default: this process's.
	Dir string
	// Env is added to this process's environment.
	Env []string
	// Size is how many workers its pool is to have, at least 1.
	Size int
	// Places is how many tasks each of them runs at a time; 0 is one.
	Places int
	// Witness is a file to which each execution of a task appends a line; "" for none, and ignored by drivers that do
	// not say that they can.
	Witness string
	// Timeouts bound its answers.
	Timeouts Timeouts
	// Violated is told what the driver does wrong, as it happens; it must not block. May be nil.
	Violated func(*Violation)
}

// Timeouts bound how long a driver may take to answer. A zero field means its default.
type Timeouts struct {
	Hello   time.Duration // default 10 s
	Ready   time.Duration // default 30 s
	Workers time.Duration // default 5 s
	Task    time.Duration // a check's longest wait for a short task. Default 10 s
	Stop    time.Duration // to say stopped, and again to end. Default 5 s
	Read    time.Duration // to take a request from its standard input. Default 5 s
}

func (t Timeouts) withDefaults() Timeouts {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Hello: 10 * time.Second, &t.Ready: 30 * time.Second, &t.Workers: 5 * time.Second,
		&t.Task: 10 * time.Second, &t.Stop: 5 * time.Second, &t.Read: 5 * time.Second,
	} {
		if *field <= 0 {
			*field = value
		}
	}
	return t
}

// Hello is what a driver says of itself.
type Hello struct {
	Protocol int    `json:"protocol"` // 1, or 2 of one that has members with roles, and faults of its own
	Name     string `json:"name"`
	Version  string `json:"version"`
	// Can lists what it tells beyond the least: "workers", "pid", "witness".
	Can []string `json:"can"`
}

// Driver is a started driver. Safe for concurrent use. Close it.
type Driver struct {
	program *foreign.Program
	limits  Timeouts
	hello   Hello
	output  *os.File // the reading end of the driver's descriptor 1
	reading sync.Once
	gone    chan struct{}
	broken  violations
	told    func(*Violation)

	writing sync.Mutex
	input   *os.File // the writing end of its descriptor 0

	mu      sync.Mutex
	asked   []*question        // requests without an id that wait for their answer, oldest first
	pending map[uint64]*Future // by task
	settled map[uint64]struct{}
	end     error // why there will be no more answers
	closing bool
	left    int        // processes that still ran when it should have ended
	fatal   *Violation // why the driver was ended by us
	ready   []int
	foreign map[int]bool          // processes that answered and are no workers
	blow    string                // what was last done to it that it has to survive
	members map[int]outside.Place // of protocol 2, by pid, as they were listed last
}

// Start starts a driver and its pool and waits until it is ready; ctx bounds that. On any error nothing is left of it.
// Errors: [*foreign.NotInstalledError] for the program or the library that it wraps; [*GoneError]; [*Violation];
// ctx's error.
func Start(ctx context.Context, c Command) (*Driver, error) {
	if c.Size < 1 {
		return nil, fmt.Errorf("driver: size %d: want at least 1", c.Size)
	}
	d, err := open(c)
	if err != nil {
		return nil, err
	}
	if err = d.greet(ctx); err == nil {
		err = d.boot(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open starts the process. What it says is read once it is asked something, so that a driver that speaks first answers.
func open(c Command) (*Driver, error) {
	d := &Driver{
		limits: c.Timeouts.withDefaults(), gone: make(chan struct{}),
		pending: map[uint64]*Future{}, settled: map[uint64]struct{}{},
	}
	in, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	output, out, err := os.Pipe()
	if err != nil {
		input.Close()
		return nil, err
	}
	defer out.Close()
	d.input, d.output, d.told = input, output, c.Violated
	if d.told == nil {
		d.told = func(*Violation) {}
	}
	d.program, err = foreign.Start(
		foreign.Command{Argv: c.Argv, Dir: c.Dir, Env: c.Env, Stdin: in, Stdout: out, Install: installs(c.Argv)})
	if err != nil {
		input.Close()
		output.Close()
		return nil, err
	}
	return d, nil
}

// installs is the command that installs the language that a driver is written in; "" for one that is not known here.
func installs(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	return map[string]string{"python3": "apt-get install python3", "node": "apt-get install nodejs npm"}[argv[0]]
}

// greet says hello.
func (d *Driver) greet(ctx context.Context) error {
	r, err := d.ask(ctx, request{Op: "hello", Protocol: 1}, "hello", d.limits.Hello)
	if err != nil {
		return err
	}
	if r.Protocol != 1 && r.Protocol != 2 {
		return d.wrong(BadField, r.line, "hello", "protocol %d: want 1 or 2", r.Protocol)
	}
	d.hello = Hello{Protocol: r.Protocol, Name: r.Name, Version: r.Version, Can: r.Can}
	return nil
}

// boot starts the pool.
func (d *Driver) boot(ctx context.Context, c Command) error {
	start := request{Op: "start", Size: c.Size}
	if d.Can("witness") {
		start.Witness = c.Witness
	}
	r, err := d.ask(ctx, start, "ready", d.limits.Ready)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.ready = d.ownPIDs(r)
	d.mu.Unlock()
	return nil
}

// Hello is what the driver said of itself.
func (d *Driver) Hello() Hello { return d.hello }

// Can tells whether the driver said that it can do that.
func (d *Driver) Can(what string) bool { return slices.Contains(d.hello.Can, what) }

// PID is the driver's own process: the parent of its workers, but not one of them.
func (d *Driver) PID() int { return d.program.PID() }

// Marker is the id in the environment entry RESPAWN_POOL=id of everything that the driver starts.
func (d *Driver) Marker() string { return d.program.Marker() }

// Gone is closed when there will be no more answers: the driver ended, or it was closed.
func (d *Driver) Gone() <-chan struct{} { return d.gone }

// Stderr is the end of what the driver and its workers wrote to their standard error.
func (d *Driver) Stderr() string { return d.program.Stderr() }

// Violations lists what the driver did wrong so far, at most the first hundred of it.
func (d *Driver) Violations() []*Violation { return d.broken.list() }

// Owns tells whether pid is a living descendant of the driver: only then may it be signalled.
func (d *Driver) Owns(pid int) bool { return d.program.Owns(pid) }

// Ready lists the workers that the driver named when it was ready.
func (d *Driver) Ready() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ready)
}

// Family lists the driver's living descendants, workers or not.
func (d *Driver) Family() (procfs.Table, error) { return d.program.Family() }

// Submit sends a task. The id must be new to this driver, and at most 2^53 so that every language can hold it; the
// driver remembers all of them, to know a second answer for what it is. Errors:
// [*GoneError]; [ErrClosed]; what cannot be encoded or is longer than MaxLine.
func (d *Driver) Submit(id uint64, task string, arg any) (*Future, error) {
	return d.send(id, request{Op: "submit", Task: task, Arg: arg})
}

// send sends a request with an id, which is answered when it has its outcome.
func (d *Driver) send(id uint64, r request) (*Future, error) {
	f := &Future{id: id, done: make(chan struct{})}
	d.mu.Lock()
	_, waits := d.pending[id]
	_, was := d.settled[id]
	switch {
	case d.end != nil:
		d.mu.Unlock()
		return nil, d.end
	case waits || was || id > 1<<53:
		d.mu.Unlock()
		return nil, fmt.Errorf("driver: task id %d: want a new one, at most 2^53", id)
	}
	d.pending[id] = f
	d.mu.Unlock()
	r.ID = &id
	if err := d.write(r); err != nil {
		d.mu.Lock()
		delete(d.pending, id)
		d.mu.Unlock()
		return nil, err
	}
	return f, nil
}

// Workers asks for the pids of the living workers. A driver that cannot tell them is not asked: the living children of
// its process are taken. Pids of processes that are not the driver's are left out and become a violation.
func (d *Driver) Workers(ctx context.Context) ([]int, error) {
	if !d.Can("workers") {
		return d.program.Children()
	}
	r, err := d.ask(ctx, request{Op: "workers"}, "workers", d.limits.Workers)
	if err != nil {
		return nil, err
	}
	return d.ownPIDs(r), nil
}

// Member is a process of a target of protocol 2.
type Member struct {
	PID   int    `json:"pid"`
	Role  string `json:"role"` // chaos.Node, chaos.Broker or chaos.Owner
	Slot  int    `json:"slot"`
	Name  string `json:"name"`
	Phase string `json:"phase"`
}

// Members asks a driver of protocol 2 for all its members, those that run no tasks too, and one of protocol 1 for its
// workers. Where each of them is, and what, place tells.
func (d *Driver) Members(ctx context.Context) ([]int, error) {
	if d.hello.Protocol < 2 {
		return d.Workers(ctx)
	}
	r, err := d.ask(ctx, request{Op: "members"}, "members", d.limits.Workers)
	if err != nil {
		return nil, err
	}
	places, slots := map[int]outside.Place{}, map[int]bool{}
	for _, m := range r.Members {
		switch {
		case m.Role != chaos.Node && chaos.RunsTasks(m.Role):
			d.wrong(BadField, r.line, r.Op, "role %q: want %s, %s or %s", m.Role, chaos.Node, chaos.Broker, chaos.Owner)
		case m.Slot < 0 || slots[m.Slot]:
			d.wrong(BadField, r.line, r.Op, "slot %d: want one from 0 for each", m.Slot)
		default:
			slots[m.Slot] = true
			places[m.PID] = outside.Place{Slot: m.Slot, Role: m.Role, Name: m.Name, Phase: m.Phase}
			r.PIDs = append(r.PIDs, m.PID)
		}
	}
	d.mu.Lock()
	d.members = places
	d.mu.Unlock()
	return d.ownPIDs(r), nil
}

// place is where a member is, and what, of a driver of protocol 2.
func (d *Driver) place(pid int) (outside.Place, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.members[pid]
	return p, ok
}

// ownPIDs checks the pids that an answer names. Only a living descendant of the driver may ever be a victim; one that
// has ended since is no violation.
func (d *Driver) ownPIDs(r *reply) []int {
	own := make([]int, 0, len(r.PIDs))
	for i, pid := range r.PIDs {
		switch {
		case pid <= 0:
			d.wrong(BadField, r.line, r.Op, "%d is no process: list the pids of the workers", pid)
			continue
		case slices.Contains(r.PIDs[:i], pid):
			d.wrong(BadField, r.line, r.Op, "process %d is listed twice", pid)
			continue
		case d.program.Owns(pid):
			own = append(own, pid)
			continue
		}
		if stranger(pid, d.Owns) {
			d.wrong(ForeignPID, r.line, r.Op,
				"process %d is not a descendant of the driver: list the pool's own workers", pid)
		}
	}
	return own
}
