package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/monotonic"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

func targetCommand() *cobra.Command {
	d := &driver{}
	var storage string
	cmd := &cobra.Command{
		Use:   "target",
		Short: "A fleet as a target of respawn run: a driver whose members are nodes and brokers",
		Long: `target speaks the protocol of docs/drivers.md on its standard input and output. What it starts is a fleet of real processes: nodes,
which are the workers, and brokers. What ends is started again after 100 ms and more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if storage != "memory" && storage != "file" {
				return &usageError{fmt.Errorf("--storage %q: want memory or file", storage)}
			}
			if m := d.config.Memory; m != 0 && m < localfleet.LeastMemory {
				return &usageError{fmt.Errorf("--memory %d: want %d bytes or more", m, localfleet.LeastMemory)}
			}
			for _, bug := range d.bugs {
				if !slices.Contains(bugs, bug) {
					return &usageError{fmt.Errorf("--bug %q: want one of %s", bug, strings.Join(bugs, ", "))}
				}
			}
			if d.config.InMemory = storage == "memory"; d.config.Disk != 0 &&
				(d.config.InMemory || d.config.Disk < localfleet.LeastDisk) {
				return &usageError{fmt.Errorf("--disk %d with --storage %s: want %d bytes or more, and --storage file",
					d.config.Disk, storage, localfleet.LeastDisk)}
			}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&d.config.Workers, "workers", 1, "worker processes of each node")
	cmd.Flags().IntVar(&d.config.Brokers, "brokers", 1, "brokers: 1, 3 or 5")
	cmd.Flags().IntVar(&d.config.Owners, "owners", 0, "processes that submit tasks of their own, beside the harness's")
	cmd.Flags().IntVar(&d.replicas, "replicas", 0, "brokers that keep the queue (default: all)")
	cmd.Flags().IntVar(&d.older, "older", 0, "nodes, the first ones, whose first process does not know the task echo")
	cmd.Flags().IntVar(&d.budget, "budget", 0, "ends of nodes that a task may be blamed for (default: 5)")
	cmd.Flags().StringVar(&storage, "storage", "memory", "where brokers keep the queue: memory or file")
	cmd.Flags().Int64Var(&d.config.Memory, "memory", 0,
		"bytes that each node may use with its workers, by a cgroup (default: as many as there are)")
	cmd.Flags().Int64Var(&d.config.Disk, "disk", 0, "bytes of a file system of its own, in memory, on which each "+
		"broker keeps its files (default: that of temporary files)")
	cmd.Flags().StringArrayVar(&d.bugs, "bug", nil,
		"break it at its edge, to see that a scenario would notice: "+strings.Join(bugs, ", "))
	return cmd
}

// driver is the fleet behind the protocol.
type driver struct {
	config   localfleet.Config
	replicas int
	budget   int
	older    int
	bugs     []string
	witness  string
	out      *os.File
	writing  sync.Mutex

	local   *localfleet.Fleet
	fleet   *fleet.Fleet
	brokers *brokers
	harmed  atomic.Int64 // how often something was done to the fleet, as far as bugs are to show then
	over    context.CancelFunc
}

// request is a line of the harness's.
type request struct {
	Op       string          `json:"op"`
	Protocol int             `json:"protocol"`
	Size     int             `json:"size"`
	Witness  string          `json:"witness"`
	ID       uint64          `json:"id"`
	Task     string          `json:"task"`
	Arg      json.RawMessage `json:"arg"`
	Slot     int             `json:"slot"`
	PID      int             `json:"pid"`
	Fault    string          `json:"fault"`
}

type targetArg struct {
	N     int `json:"n"`
	MS    int `json:"ms"`
	Bytes int `json:"bytes"`
}

type fields map[string]any

// node has started this process, which is a worker of it. Once the node is dead, and the worker has not heard of it
// yet, somebody else is its parent.
var node = os.Getppid()

// witnessed is what a driver's tasks do. Their node is the process that they name.
var witnessed = pool.Register("respawn-fleet.target", runWitnessed)

func runWitnessed(ctx context.Context, in witnessedTask) (witnessedValue, error) {
	began := monotonic.Now()
	if !ofNode() {
		// it would have begun after the end of its node, which nobody could tell from one that runs though it has no
		// reason to
		return witnessedValue{}, pidfd.ErrEnded
	}
	if err := record(in.Witness, "\nS %d 0 %d %d\n", in.ID, node, began); err != nil {
		return witnessedValue{}, err
	}
	select {
	case <-time.After(time.Duration(in.MS) * time.Millisecond):
	case <-ctx.Done():
		return witnessedValue{}, ctx.Err()
	}
	return witnessedValue{in.N * in.N, node, in.Payload}, record(in.Witness, "\nE %d 0 %d %d %d\n", in.ID, node, began,
		monotonic.Now())
}

// echoed is witnessed by a name of its own, which nodes of an older program do not know.
var echoed = registerEchoed()

func registerEchoed() (t pool.Task[witnessedTask, witnessedValue]) {
	if os.Getenv(olderProgram) != "" {
		return t
	}
	return pool.Register("respawn-fleet.echo", runWitnessed)
}

// notShort is how long the tasks last, in milliseconds, of which nodes are to take no more than they have workers: for
// two seconds after shorter ones a node may get several of whatever comes, and another none.
const notShort = 20

// olderProgram is in the environment of a node that is to be of an older program.
const olderProgram = "RESPAWN_FLEET_OLDER"

type witnessedTask struct {
	targetArg
	ID      uint64
	Witness string
	Payload []byte
}

type witnessedValue struct {
	Value, Node int
	Payload     []byte
}

// payload is what an echo of that number carries there and back.
func (a targetArg) payload() []byte {
	p, x := make([]byte, a.Bytes), uint32(a.N)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// record appends a line in one write.
func record(path, format string, args ...any) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, format, args...)
	return errors.Join(err, f.Close())
}

// run talks to the harness until it says stop, or is gone.
func (d *driver) run(ctx context.Context) (err error) {
	d.out, os.Stdout = os.Stdout, os.Stderr // what else prints does not do so there
	defer func() { err = errors.Join(err, d.end()) }()
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			d.say(fields{"op": "error", "error": "not a request: " + err.Error()})
			continue
		}
		if r.Op == "stop" {
			err := d.end()
			d.say(fields{"op": "stopped"})
			return err
		}
		if err := d.answer(ctx, r); err != nil {
			d.say(fields{"op": "error", "error": err.Error()})
		}
	}
}

func (d *driver) say(f fields) {
	line, err := json.Marshal(f)
	if err != nil {
		line, _ = json.Marshal(fields{"op": "error", "error": err.Error()}) // a text
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	_, _ = d.out.Write(append(line, '\n')) // the harness is gone, which the next read tells
}

func (d *driver) answer(ctx context.Context, r request) error {
	switch r.Op {
	case "hello":
		if r.Protocol != 1 {
			return fmt.Errorf("protocol %d: this driver speaks 1", r.Protocol)
		}
		d.say(fields{
			"op": "hello", "protocol": 2, "name": "respawn-fleet", "version": fleet.Version(),
			"can": append([]string{"workers", "pid", "witness", "echo", "account"}, slices.Sorted(maps.Keys(harms))...),
		})
	case "start":
		return d.start(ctx, r)
	case "workers":
		d.say(fields{"op": "workers", "pids": d.pids()})
	case "members":
		d.say(fields{"op": "members", "members": d.members()})
	case "probe":
		go d.probe(ctx, r)
	case "account":
		go d.account(ctx, r)
	case "harm", "heal":
		go d.harm(ctx, r)
	case "submit":
		go d.submit(ctx, r)
	default:
		return fmt.Errorf("unknown op %q", r.Op)
	}
	return nil
}

func (d *driver) start(ctx context.Context, r request) (err error) {
	if d.local != nil || r.Size < 1 {
		return fmt.Errorf("start with size %d: want it once, and at least 1", r.Size)
	}
	d.witness = r.Witness
	d.config.Nodes, d.config.Output = r.Size, os.Stderr
	d.config.Links, d.config.Copies = true, true
	d.config.Env = func(m localfleet.Member) []string {
		if m.Role == localfleet.Node && m.Slot <= d.older && m.Generation == 0 {
			return []string{olderProgram + "=1"}
		}
		return nil
	}
	d.config.Keep = !slices.Contains(d.bugs, noRespawn)
	if d.local, err = localfleet.Start(d.config); err != nil {
		return err
	}
	c := d.local.Config()
	if d.replicas > 0 {
		c.Replicas = d.replicas
	}
	c.Budgets.Nodes = d.budget
	if slices.Contains(d.bugs, impatient) {
		c.NoNodes = time.Millisecond
	}
	if d.fleet, err = fleet.Dial(ctx, c); err != nil {
		return err
	}
	looking, over := context.WithCancel(context.Background())
	if d.brokers, err = lookAt(looking, d.local, c.Fleet, r.Size); err != nil {
		over()
		return err
	}
	d.over = over
	if len(d.bugs) > 0 {
		go d.spoil(looking)
	}
	if err := until(ctx, func() bool { return len(d.members()) == len(d.local.Members()) }); err != nil {
		return err
	}
	d.say(fields{"op": "ready", "pids": d.pids()})
	return nil
}

// member is a line of the list of members.
type member struct {
	localfleet.Member
	Phase string `json:"phase,omitempty"`
}

// pids are those of the nodes among the members.
func (d *driver) pids() []int {
	pids := []int{}
	for _, m := range d.members() {
		if m.Role == localfleet.Node {
			pids = append(pids, m.PID)
		}
	}
	return pids
}

// members are the nodes that live and have said that they are there, and the brokers that live and have answered. Slots
// are from 0.
func (d *driver) members() []member {
	there := []member{}
	if d.fleet == nil || d.brokers == nil {
		return there
	}
	var said []int
	for _, n := range d.fleet.Nodes() {
		if n.State == "alive" {
			said = append(said, n.PID)
		}
	}
	for _, m := range d.local.Members() {
		one := member{Member: m}
		one.Slot--
		switch {
		case m.Role == localfleet.Node && slices.Contains(said, m.PID):
			there = append(there, one)
		case m.Role == localfleet.Broker && d.brokers.answers(m):
			one.Phase = d.brokers.phase(m.Name)
			there = append(there, one)
		case m.Role == localfleet.Owner && d.ownerWorks(m):
			there = append(there, one)
		}
	}
	return there
}

// ownerWorks tells whether the process of an owner has had values of tasks.
func (d *driver) ownerWorks(m localfleet.Member) bool {
	pid, _ := d.local.Settled(m.Name)
	return pid == m.PID
}

// asked waits until the owner in a slot has had the values of more tasks, and tells which process has.
func (d *driver) asked(ctx context.Context, name string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	before, had := d.local.Settled(name)
	for {
		if pid, has := d.local.Settled(name); pid != 0 && (pid != before || has > had) {
			return pid, nil
		}
		if err := wait.For(ctx, lookEvery); err != nil {
			return 0, fmt.Errorf("%s has had no values of tasks for %v", name, within)
		}
	}
}

// probe answers with the process of a broker that has answered, or of an owner whose tasks have had their values.
func (d *driver) probe(ctx context.Context, r request) {
	if d.brokers == nil {
		d.say(fields{"op": "error", "id": r.ID, "error": "probe before start"})
		return
	}
	ask := func() (int, error) { return d.brokers.probe(ctx, r.Slot+1) }
	if name := d.local.Name(r.Slot + 1); strings.HasPrefix(name, localfleet.Owner) {
		ask = func() (int, error) { return d.asked(ctx, name) }
	}
	pid, err := ask()
	if err != nil {
		d.say(fields{"op": "error", "id": r.ID, "error": err.Error()})
		return
	}
	d.say(fields{"op": "result", "id": r.ID, "value": true, "pid": pid})
}

// account tells what is left of the tasks, and what the owner has counted.
func (d *driver) account(ctx context.Context, r request) {
	if d.brokers == nil {
		d.say(fields{"op": "error", "id": r.ID, "error": "account before start"})
		return
	}
	a := account{Unsettled: d.fleet.Outstanding(), Stats: d.fleet.Stats()}
	for _, n := range d.fleet.Nodes() {
		if n.State == "alive" {
			a.Held += n.Listed
		}
	}
	var err error
	if a.Stored, err = d.brokers.stored(ctx, d.fleet.ID()); err == nil && d.config.Owners == 0 {
		var of *consumerInfo
		if of, _, err = d.brokers.consumer(ctx); err == nil {
			a.Pending = of.Pending
		}
	}
	if err != nil {
		d.say(fields{"op": "error", "id": r.ID, "error": err.Error()})
		return
	}
	d.say(fields{"op": "result", "id": r.ID, "value": a})
}

// account is the answer; see docs/drivers.md.
type account struct {
	Stored    int `json:"stored"`
	Pending   int `json:"pending"`
	Held      int `json:"held"`
	Unsettled int `json:"unsettled"`
	fleet.Stats
}

func (d *driver) submit(ctx context.Context, r request) {
	var value witnessedValue
	var arg targetArg
	err := json.Unmarshal(r.Arg, &arg)
	task := witnessedTask{targetArg: arg, ID: r.ID, Witness: d.witness}
	switch {
	case err != nil:
		err = fmt.Errorf("arg: %w", err)
	case d.fleet == nil:
		err = errors.New("submit before start")
	case !slices.Contains([]string{"square", "sleep", "echo"}, r.Task):
		err = fmt.Errorf("unknown task %q", r.Task)
	case arg.MS < 0 || arg.Bytes < 0:
		err = fmt.Errorf("ms %d, bytes %d: want 0 or more", arg.MS, arg.Bytes)
	default:
		if r.Task != "echo" {
			value, err = witnessed.Call(ctx, d.fleet, task)
			break
		}
		task.Payload = arg.payload()
		if d.older > 0 {
			task.MS = notShort
		}
		value, err = echoed.Call(ctx, d.fleet, task)
		value.Value = int(crc32.ChecksumIEEE(value.Payload))
	}
	if d.spoils(ctx, task, &value, &err) {
		return
	}
	if err != nil {
		d.say(fields{"op": "error", "id": r.ID, "error": err.Error()})
		return
	}
	d.say(fields{"op": "result", "id": r.ID, "value": value.Value, "pid": value.Node})
}

// end ends the fleet: by its own ways if nothing is left to do, else at once.
func (d *driver) end() (err error) {
	if d.local == nil {
		return nil
	}
	if d.over != nil {
		d.over()
	}
	if d.fleet != nil && d.fleet.Outstanding() == 0 {
		err = d.fleet.Close()
	}
	err = errors.Join(err, d.local.Terminate())
	d.local = nil
	return err
}
