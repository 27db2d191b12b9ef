// Package fleettest starts a fleet of real processes in a test: brokers and nodes, each of them the test's program
// again, whose tasks they know. TestMain must call pool.Main first of all, as with a pool:
//
//	func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }
package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/localfleet"
)

// Fleet is an owner of a fleet, and the processes that serve it. All of it ends with the test.
type Fleet struct {
	*fleet.Fleet
	local *localfleet.Fleet
	t     testing.TB
}

// Member is one of the processes.
type Member = localfleet.Member

// Option says what New starts.
type Option func(*settings)

type settings struct {
	localfleet.Config
	owner  []func(*fleet.Config)
	onDisk bool
}

// Nodes is how many nodes there are; default 1.
func Nodes(n int) Option { return func(s *settings) { s.Nodes = n } }

// Workers is how many worker processes each node has; default 2.
func Workers(n int) Option { return func(s *settings) { s.Workers = n } }

// Brokers is how many brokers keep the queue: 1, 3 or 5; default 1.
func Brokers(n int) Option { return func(s *settings) { s.Brokers = n } }

// OnDisk has the brokers keep the queue in files, in a temporary directory; else it is in their memory.
func OnDisk() Option { return func(s *settings) { s.onDisk = true } }

// Restarts has what ends started again, as a supervisor would.
func Restarts() Option { return func(s *settings) { s.Keep = true } }

// Owner changes how New dials.
func Owner(change func(*fleet.Config)) Option {
	return func(s *settings) { s.owner = append(s.owner, change) }
}

// New starts a fleet, waits for a minute at most until all its nodes are there, and gives an owner of it. When the test
// is over all of it is ended, and what its processes printed is shown if the test has failed.
func New(t testing.TB, opts ...Option) *Fleet {
	t.Helper()
	s := settings{Config: localfleet.Config{Fleet: "test", Nodes: 1, Workers: 2, Brokers: 1}}
	for _, o := range opts {
		o(&s)
	}
	said := &printed{}
	s.InMemory, s.Output = !s.onDisk, said
	s.Logger = slog.New(slog.NewTextHandler(said, nil))
	local, err := localfleet.Start(s.Config)
	if err != nil {
		t.Fatalf("fleettest: %v", err)
	}
	f := &Fleet{local: local, t: t}
	t.Cleanup(func() {
		if f.Fleet != nil {
			_ = f.Fleet.Close()
		}
		if err := local.Close(); err != nil {
			t.Errorf("fleettest: %v", err)
		}
		if text := said.String(); t.Failed() && text != "" {
			t.Logf("the fleet's processes printed:\n%s", text)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f.Fleet = f.dial(ctx, s.owner)
	for n := -1; n < s.Nodes; {
		if n = f.Alive(); ctx.Err() != nil {
			t.Fatalf("fleettest: %d of %d nodes are there after a minute; their processes printed:\n%s",
				n, s.Nodes, said)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return f
}

// dial connects to brokers that may only just be starting.
func (f *Fleet) dial(ctx context.Context, change []func(*fleet.Config)) *fleet.Fleet {
	f.t.Helper()
	c := f.Config()
	for _, with := range change {
		with(&c)
	}
	for {
		owner, err := fleet.Dial(ctx, c)
		if err == nil {
			return owner
		}
		if ctx.Err() != nil || !errors.Is(err, fleet.ErrNoBroker) {
			f.t.Fatalf("fleettest: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Config is that of an owner of the fleet.
func (f *Fleet) Config() fleet.Config { return f.local.Config() }

// Dial gives another owner, which is closed with the test.
func (f *Fleet) Dial(change ...func(*fleet.Config)) *fleet.Fleet {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	owner := f.dial(ctx, change)
	f.t.Cleanup(func() { _ = owner.Close() })
	return owner
}

// Alive is how many nodes say that they are there.
func (f *Fleet) Alive() (n int) {
	for _, info := range f.Nodes() {
		if info.State == "alive" {
			n++
		}
	}
	return n
}

// Members are the processes that are running: nodes, then brokers. Their names are node-1, node-2, …, and broker-1, ….
func (f *Fleet) Members() []Member { return f.local.Members() }

// Kill ends a process by SIGKILL and waits until it is gone.
func (f *Fleet) Kill(name string) Member {
	f.t.Helper()
	m, err := f.local.Kill(name)
	if err != nil {
		f.t.Fatalf("fleettest: kill %s: %v", name, err)
	}
	return m
}

// Signal sends a signal to a process.
func (f *Fleet) Signal(name string, sig syscall.Signal) Member {
	f.t.Helper()
	m, err := f.local.Signal(name, sig)
	if err != nil {
		f.t.Fatalf("fleettest: signal %s: %v", name, err)
	}
	return m
}

// Start starts a process again that has ended.
func (f *Fleet) Start(name string) {
	f.t.Helper()
	if err := f.local.Start(name); err != nil {
		f.t.Fatalf("fleettest: start %s: %v", name, err)
	}
}

// Forget removes what a broker that has ended has stored.
func (f *Fleet) Forget(name string) {
	f.t.Helper()
	if err := f.local.Forget(name); err != nil {
		f.t.Fatalf("fleettest: %v", err)
	}
}

// Save copies what a broker that has ended has stored to a directory that is not there yet; Restore puts it back.
func (f *Fleet) Save(name, to string) {
	f.t.Helper()
	if err := f.local.Save(name, to); err != nil {
		f.t.Fatalf("fleettest: %v", err)
	}
}

// Restore gives a broker that has ended what it had when Save copied it: it has lost all that was stored since.
func (f *Fleet) Restore(name, from string) {
	f.t.Helper()
	if err := f.local.Restore(name, from); err != nil {
		f.t.Fatalf("fleettest: %v", err)
	}
}

// Leader is the name of the broker that leads the queue; "" while there is none, and with one broker.
func (f *Fleet) Leader() string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := fleet.ReadStatus(ctx, f.Config())
	if err != nil {
		return ""
	}
	return s.Leader
}

// printed is what processes print.
type printed struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.b.Len() > 1<<20 {
		return len(b), nil
	}
	return p.b.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

var _ fmt.Stringer = (*printed)(nil)
