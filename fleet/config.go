package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/pool"
)

// Sentinel errors. Match them with errors.Is.
var (
	// ErrNoNodes settles a task for which no node has been there for Config.NoNodes, and that has never started.
	ErrNoNodes = errors.New("fleet: nobody serves this fleet: start a node (fleet.Serve, or respawn-fleet node), or " +
		"wait longer with Config.NoNodes")
	// ErrNoBroker is returned where nothing answers as one.
	ErrNoBroker = errors.New("fleet: no broker")
	// ErrBrokerTooOld is returned for a server that loses what it must keep.
	ErrBrokerTooOld = errors.New("fleet: broker too old")
	// ErrNoJetStream is returned for a server that does not store anything.
	ErrNoJetStream = errors.New("fleet: the broker has no JetStream: start it with jetstream on, or use " +
		"respawn-fleet broker; if it had, its disk was full: make room and start it again")
	// ErrBrokerTooSmall is returned for a server that may not keep what a fleet needs.
	ErrBrokerTooSmall = errors.New("fleet: the broker's limits are too small")
	// ErrDenied is returned, and settles tasks, where the broker does not let this user do what a fleet needs.
	ErrDenied = errors.New("fleet: the broker denies this user what it needs")
	// ErrNameTaken is returned for a node whose name another one has, which is there.
	ErrNameTaken = errors.New("fleet: a node of that name is there on this host: end it, or set another Node.Name")
	// ErrNotOurs is returned when the broker has a stream of the fleet's name that no fleet has made.
	ErrNotOurs = errors.New(
		"fleet: the broker has a stream of that name that is not a fleet's: choose another Config.Fleet")
)

var (
	errNobodyKnows = fmt.Errorf(
		"fleet: no node that is there knows the task: start nodes of the program that registers it: %w",
		pool.ErrUnknownTask)
	errOtherNodes = fmt.Errorf("fleet: the nodes that are there have workers of another kind (docs/workers.md): "+
		"start nodes with workers that the task is declared for: %w", pool.ErrOtherWorkers)
)

// error is what settles a task for which only such nodes are there.
func (m misfit) error() error {
	if m == otherWorkers {
		return errOtherNodes
	}
	return errNobodyKnows
}

// Config says how a program submits to a fleet. The zero value but for Fleet works with a broker at
// nats://127.0.0.1:4222.
type Config struct {
	Fleet   string        // its name: 1 to 32 letters, digits, - and _; the same at all owners and nodes
	Servers string        // the broker's URLs, separated by commas; default nats://127.0.0.1:4222
	Options []nats.Option // for TLS, credentials, an embedded broker

	Replicas   int           // of the queue when this program makes it: 1, 3 or 5 brokers keep it; default 1
	InMemory   bool          // the queue is kept in the brokers' memory when this program makes it
	QueueBytes int64         // what the queue holds when this program makes it; default 64 MiB
	Delivery   pool.Delivery // of tasks that do not say; default at least once
	Timeout    time.Duration // of tasks that do not say; 0: the node's
	// deaths of workers, and ends of nodes, that a task may be blamed for; zero fields are the nodes' pools', and 5
	// Nodes
	Budgets pool.Budgets
	// how long tasks wait for a first node, and at most half a minute for one that knows them; default 1 min, negative:
	// for ever
	NoNodes    time.Duration
	QueueLimit int          // tasks that have not settled, at most; 0: as many as memory holds
	Logger     *slog.Logger // default: none
}

// Node says how a process serves a fleet.
type Node struct {
	Fleet   string        // as Config.Fleet
	Servers string        // as Config.Servers
	Options []nats.Option // as Config.Options
	Name    string        // a label, not two alive on one host; default the host's name
	Pool    pool.Config   // its workers
	Grace   time.Duration // for what runs when it is told to stop; default 30 s
	Logger  *slog.Logger  // default: none
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func checkName(field, name string) error {
	if !nameRule.MatchString(name) {
		return fmt.Errorf("fleet: %s is %q: want 1 to 32 letters, digits, - and _", field, name)
	}
	return nil
}

// Validate reports every problem of the config, joined. Dial calls it.
func (c Config) Validate() error {
	errs := []error{checkName("Config.Fleet", c.Fleet)}
	if c.Replicas != 0 && c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		errs = append(errs, fmt.Errorf("fleet: Config.Replicas is %d: want 1, 3 or 5, or 0 for 1", c.Replicas))
	}
	if c.Delivery > pool.AtMostOnce {
		errs = append(errs,
			fmt.Errorf("fleet: Config.Delivery is %d: want pool.AtLeastOnce or pool.AtMostOnce", c.Delivery))
	}
	if min(c.Budgets.Crashes, c.Budgets.OOM, c.Budgets.Killed, c.Budgets.Nodes, c.QueueLimit) < 0 {
		errs = append(errs,
			errors.New("fleet: Config.Budgets and QueueLimit: want positive numbers, or 0 for the defaults"))
	}
	if c.QueueBytes != 0 && c.QueueBytes < 1<<20 {
		errs = append(errs,
			fmt.Errorf("fleet: Config.QueueBytes is %d: want 1 MiB or more, or 0 for 64 MiB", c.QueueBytes))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.Servers = cmp.Or(c.Servers, nats.DefaultURL)
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.QueueBytes = cmp.Or(c.QueueBytes, 64<<20)
	c.NoNodes = cmp.Or(c.NoNodes, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

// Validate reports every problem of the node's own settings, joined, and of its pool's. Serve calls it.
func (n Node) Validate() error {
	n = n.withDefaults()
	errs := []error{checkName("Node.Fleet", n.Fleet), checkName("Node.Name", n.Name), n.Pool.Validate()}
	if n.Grace < 0 {
		errs = append(errs, fmt.Errorf("fleet: Node.Grace is %v: want a positive duration, or 0 for 30s", n.Grace))
	}
	return errors.Join(errs...)
}

func (n Node) withDefaults() Node {
	n.Servers = cmp.Or(n.Servers, nats.DefaultURL)
	n.Grace = cmp.Or(n.Grace, 30*time.Second)
	n.Logger = cmp.Or(n.Logger, slog.New(slog.DiscardHandler))
	if n.Name == "" {
		host, _ := os.Hostname()
		n.Name = regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(host, "-")
		n.Name = n.Name[:min(len(n.Name), 32)]
	}
	return n
}
