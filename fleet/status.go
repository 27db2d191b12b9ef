package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Status is what can be seen of a fleet from outside, by whoever may connect to its broker.
type Status struct {
	Fleet   string       `json:"fleet"`
	Broker  string       `json:"broker"`        // its version
	RTT     Milliseconds `json:"rtt_ms"`        // to the broker and back
	Skew    Milliseconds `json:"clock_skew_ms"` // of the broker's clock, from this machine's; nothing depends on it
	Storage string       `json:"storage"`       // "memory" or "file"
	Kept    int          `json:"replicas"`      // brokers that keep the queue
	Leader  string       `json:"leader"`        // of the queue; "" for one broker alone
	Stored  uint64       `json:"stored"`        // tasks in the queue, with those that nodes have
	AtNodes int          `json:"at_nodes"`      // tasks that nodes have and nobody has acknowledged
	Nodes   []NodeInfo   `json:"nodes"`         // that said within two seconds that they are there
}

// Milliseconds is a duration that JSON shows in milliseconds.
type Milliseconds time.Duration

// MarshalJSON writes milliseconds with three decimals.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(m).Seconds()*1000), nil
}

// UnmarshalJSON reads milliseconds.
func (m *Milliseconds) UnmarshalJSON(data []byte) error {
	var ms float64
	err := json.Unmarshal(data, &ms)
	*m = Milliseconds(ms * float64(time.Millisecond))
	return err
}

// ErrNoFleet is returned for a broker that has no fleet of that name: nobody has dialled or served it yet.
var ErrNoFleet = errors.New("fleet: the broker has no fleet of that name: start a node, or look at the name")

// ReadStatus looks at a fleet without making anything. It listens for a little over two seconds, in which each node says hello.
func ReadStatus(ctx context.Context, c Config) (*Status, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	l, err := connect(ctx, c.Fleet, "respawn status", c.Servers, c.Options, func(bool) {})
	if err != nil {
		return nil, err
	}
	defer l.nc.Close()
	s := &Status{Fleet: c.Fleet, Broker: l.nc.ConnectedServerVersion()}
	stream, err := l.js.Stream(ctx, c.Fleet)
	if errors.Is(err, jetstream.ErrStreamNotFound) { // no owner yet
		if s.Nodes, err = l.hellos(ctx, 2200*time.Millisecond); err == nil && len(s.Nodes) == 0 {
			err = fmt.Errorf("%w (%s)", ErrNoFleet, c.Fleet)
		}
		return s, err
	}
	if err != nil {
		return nil, l.explain(err)
	}
	info := stream.CachedInfo()
	epoch := info.Config.Metadata[ourMark]
	if epoch == "" {
		return nil, fmt.Errorf("%w (%s)", ErrNotOurs, c.Fleet)
	}
	s.Storage, s.Kept, s.Stored = strings.ToLower(info.Config.Storage.String()), info.Config.Replicas, info.State.Msgs
	if info.Cluster != nil {
		s.Leader = info.Cluster.Leader
	}
	s.Skew = Milliseconds(time.Until(info.TimeStamp))
	if rtt, err := l.nc.RTT(); err == nil {
		s.RTT = Milliseconds(rtt)
	}
	if consumer, err := stream.Consumer(ctx, queueName+"-"+epoch); err == nil {
		s.AtNodes = consumer.CachedInfo().NumAckPending
	}
	s.Nodes, err = l.hellos(ctx, 2200*time.Millisecond)
	return s, err
}

// hellos are the nodes that say within d that they are there.
func (l *link) hellos(ctx context.Context, d time.Duration) ([]NodeInfo, error) {
	var mu sync.Mutex
	found := make(map[string]NodeInfo)
	_, err := l.nc.Subscribe(l.nodes(), func(m *nats.Msg) {
		rs, err := decodeReports(m.Data)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rs {
			if r.Kind == reportHello {
				found[r.Node] = NodeInfo{ID: r.Node, Name: r.Name, Host: r.Host, PID: r.PID, Workers: r.Size, State: alive.String()}
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	list := make([]NodeInfo, 0, len(found))
	for _, id := range sortedKeys(found) {
		list = append(list, found[id])
	}
	slices.SortStableFunc(list, func(a, b NodeInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Drain tells the nodes of that name to take nothing new, to finish what runs and to end. It returns how many were told, and does
// not wait for them.
func Drain(ctx context.Context, c Config, name string) (int, error) {
	if err := errors.Join(c.Validate(), checkName("the node's name", name)); err != nil {
		return 0, err
	}
	c = c.withDefaults()
	l, err := connect(ctx, c.Fleet, "respawn drain", c.Servers, c.Options, func(bool) {})
	if err != nil {
		return 0, err
	}
	defer l.nc.Close()
	nodes, err := l.hellos(ctx, 2200*time.Millisecond)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, info := range nodes {
		if info.Name == name {
			n++
			if err := l.nc.Publish(l.node(info.ID), encode([]order{{Kind: orderDrain}})); err != nil {
				return n, fmt.Errorf("fleet: %w", err)
			}
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("fleet: no node %q says that it is there; respawn-fleet status lists them", name)
	}
	return n, l.nc.FlushTimeout(apiTimeout)
}
