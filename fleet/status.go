package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Status is what can be seen of a fleet from outside, by whoever may connect to its broker.
type Status struct {
	Fleet   string       `json:"fleet"`
	Server  string       `json:"server"`        // the name of the broker that answered
	Broker  string       `json:"broker"`        // its version
	RTT     Milliseconds `json:"rtt_ms"`        // to the broker and back
	Skew    Milliseconds `json:"clock_skew_ms"` // of the broker's clock, from this machine's; nothing depends on it
	Storage string       `json:"storage"`       // "memory" or "file"
	Kept    int          `json:"replicas"`      // brokers that are to keep the queue
	Leader  string       `json:"leader"`        // of the queue; "" for one broker alone
	Behind  []Replica    `json:"behind"`        // the other brokers that keep it, and are not up to date
	Stored  uint64       `json:"stored"`        // tasks in the queue, with those that nodes have
	Bytes   uint64       `json:"bytes"`         // of these
	Room    int64        `json:"max_bytes"`     // of the queue
	AtNodes int          `json:"at_nodes"`      // tasks that nodes have and nobody has acknowledged
	Paused  Milliseconds `json:"paused_ms"`     // for which nothing more is handed out; 0: it is not paused
	Nodes   []NodeInfo   `json:"nodes"`         // that said within two seconds that they are there
	Owners  []OwnerInfo  `json:"owners"`        // that answered in that time, or have tasks in the queue
	Tasks   []TaskInfo   `json:"tasks"`         // that were asked for
}

// Replica is a broker that keeps the queue beside its leader.
type Replica struct {
	Server string       `json:"server"`
	Away   bool         `json:"away"`
	Heard  Milliseconds `json:"heard_ms"` // since its leader last did
	Lag    uint64       `json:"lag"`      // operations
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

// ReadStatus looks at a fleet without making anything. It takes a little over two seconds at most, in which each node
// says hello.
func ReadStatus(ctx context.Context, c Config) (*Status, error) { return readStatus(ctx, c, "") }

// ReadTask is ReadStatus with what owners know of a task in Tasks: one that has not settled, by its number
// (pool.Future's TaskID), by its owner's identity and number (OWNER.NUMBER), or by its key (pool.WithKey). Several
// owners may have one of that number.
func ReadTask(ctx context.Context, c Config, task string) (*Status, error) {
	if task == "" {
		return nil, errors.New("fleet: no task is named: want its number, OWNER.NUMBER, or its key")
	}
	return readStatus(ctx, c, task)
}

func readStatus(ctx context.Context, c Config, task string) (*Status, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	l, err := connect(ctx, c.Fleet, "respawn status", c.Servers, c.Options, func(bool) {})
	if err != nil {
		return nil, err
	}
	defer l.nc.Close()
	return l.status(ctx, task)
}

// status looks at what the broker has, and at who says within two seconds that it is there.
func (l *link) status(ctx context.Context, task string) (*Status, error) {
	s := &Status{Fleet: string(l.subjects), Broker: l.nc.ConnectedServerVersion(), Server: l.nc.ConnectedServerName()}
	if rtt, err := l.nc.RTT(); err == nil {
		s.RTT = Milliseconds(rtt)
	}
	answers, err := l.inquire(inquiry{Kind: inquireStatus, Task: task})
	if err != nil {
		return nil, err
	}
	stored, delivered, err := l.queue(ctx, s)
	if errors.Is(err, jetstream.ErrStreamNotFound) { // no owner yet
		answers.wait(ctx)
		if s.Nodes = answers.here(); len(s.Nodes) == 0 {
			return s, fmt.Errorf("%w (%s)", ErrNoFleet, l.subjects)
		}
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	answers.wait(ctx)
	s.Nodes, s.Owners = answers.here(), answers.all()
	for i := range s.Owners {
		o := &s.Owners[i]
		o.Stored = stored[o.ID]
		delete(stored, o.ID)
		for _, t := range o.Tasks {
			if t.Sequence > delivered {
				t.Ahead = min(t.Sequence-delivered-1, s.Stored)
			}
			s.Tasks = append(s.Tasks, t)
		}
		o.Tasks = nil
	}
	for _, id := range sortedKeys(stored) { // of owners that are gone, or cut off
		s.Owners = append(s.Owners, OwnerInfo{ID: id, Stored: stored[id]})
	}
	return s, nil
}

// queue reads what the broker has: how many tasks of each owner, by its identity, and up to which one it has handed
// out.
func (l *link) queue(ctx context.Context, s *Status) (stored map[string]uint64, delivered uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, err := l.js.Stream(ctx, string(l.subjects))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, err
	}
	if err != nil {
		return nil, 0, l.explain(err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, 0, l.explain(err)
	}
	epoch := info.Config.Metadata[ourMark]
	if epoch == "" {
		return nil, 0, fmt.Errorf("%w (%s)", ErrNotOurs, l.subjects)
	}
	s.Storage, s.Kept, s.Stored = strings.ToLower(info.Config.Storage.String()), info.Config.Replicas, info.State.Msgs
	s.Bytes, s.Room = info.State.Bytes, info.Config.MaxBytes
	if info.Cluster != nil {
		s.Leader = info.Cluster.Leader
		for _, r := range info.Cluster.Replicas {
			if r.Offline || !r.Current {
				s.Behind = append(s.Behind, Replica{r.Name, r.Offline, Milliseconds(r.Active), r.Lag})
			}
		}
	}
	s.Skew = Milliseconds(time.Until(info.TimeStamp))
	l.mu.Lock()
	l.stream, l.consumer = stream, queueName+"-"+epoch
	l.mu.Unlock()
	if consumer, err := stream.Consumer(ctx, l.consumer); err == nil {
		c := consumer.CachedInfo()
		s.AtNodes, delivered = c.NumAckPending, c.Delivered.Stream
		if c.Paused {
			s.Paused = Milliseconds(c.PauseRemaining)
		}
	}
	stored = make(map[string]uint64, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		stored[subject[strings.LastIndexByte(subject, '.')+1:]] += n
	}
	return stored, delivered, nil
}

// operate connects as an operator to a fleet that is there.
func operate(ctx context.Context, c Config, who string) (*link, *Status, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	c = c.withDefaults()
	l, err := connect(ctx, c.Fleet, "respawn "+who, c.Servers, c.Options, func(bool) {})
	if err != nil {
		return nil, nil, err
	}
	s := &Status{}
	if _, _, err = l.queue(ctx, s); errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("%w (%s)", ErrNoFleet, c.Fleet)
	}
	if err != nil {
		l.nc.Close()
		return nil, nil, err
	}
	return l, s, nil
}

// forEver is longer than any pause; a broker wants an end of each.
const forEver = 100 * 365 * 24 * time.Hour

// ErrCannotPause is returned by brokers before 2.11, which do not know pauses.
var ErrCannotPause = errors.New("fleet: this broker cannot pause a queue: it takes nats-server 2.11")

// Pause has the broker hand out nothing more for d, or until [Resume] if d is 0. What nodes have goes on, and owners
// may submit. A broker that forgets the queue forgets that, too.
func Pause(ctx context.Context, c Config, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("fleet: a pause of %v: want a positive duration, or 0 for one until it is resumed", d)
	}
	return setPause(ctx, c, "pause", cmp.Or(d, forEver))
}

// Resume ends a pause. Where there is none it does nothing.
func Resume(ctx context.Context, c Config) error { return setPause(ctx, c, "resume", 0) }

func setPause(ctx context.Context, c Config, who string, d time.Duration) error {
	l, s, err := operate(ctx, c, who)
	if err != nil {
		return err
	}
	defer l.nc.Close()
	if olderThan(l.nc.ConnectedServerVersion(), pausingBroker) {
		return fmt.Errorf("%w; this is %s", ErrCannotPause, l.nc.ConnectedServerVersion())
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stream, consumer := l.current()
	if d == 0 {
		_, err = stream.ResumeConsumer(ctx, consumer)
	} else {
		_, err = stream.PauseConsumer(ctx, consumer, time.Now().Add(time.Duration(s.Skew)+d)) // by the broker's clock
	}
	if err != nil {
		return l.explain(err)
	}
	return nil
}

// Purged says what a purge has taken out of a queue.
type Purged struct {
	Settled int    `json:"settled"` // tasks that their owners have settled with ErrPurged
	Removed uint64 `json:"removed"` // tasks of owners that did not answer
	Owners  int    `json:"owners"`  // that answered
}

// Purge takes out of the queue what no node has. Its owners settle these tasks with [ErrPurged]; what is there of
// owners that do not answer within a second is removed, and one of them that is alive after all puts it there again.
// What nodes have goes on.
func Purge(ctx context.Context, c Config) (p Purged, err error) {
	l, _, err := operate(ctx, c, "purge")
	if err != nil {
		return p, err
	}
	defer l.nc.Close()
	answers, err := l.inquire(inquiry{Kind: inquirePurge})
	if err == nil {
		err = l.allowed()
	}
	if err != nil {
		return p, err
	}
	stored, err := l.unanswered(ctx, answers)
	if err != nil {
		return p, err
	}
	for _, o := range answers.all() {
		p.Owners++
		p.Settled += o.Settled
	}
	for _, id := range sortedKeys(stored) {
		ctx, cancel := context.WithTimeout(ctx, apiTimeout)
		l.purge(ctx, id, 0)
		cancel()
		p.Removed += stored[id]
	}
	return p, nil
}

// unanswered waits for the answers of all owners that have tasks in the queue, a second at most, and tells how many
// tasks are there of those that have not answered. Owners that have none there get a moment.
func (l *link) unanswered(ctx context.Context, answers *asked) (stored map[string]uint64, err error) {
	for i := range 10 {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if stored, _, err = l.queue(ctx, &Status{}); err != nil {
			return nil, err
		}
		for _, o := range answers.all() {
			delete(stored, o.ID)
		}
		if i > 0 && len(stored) == 0 {
			break
		}
	}
	return stored, nil
}

// Drain tells the nodes of that name to take nothing new, to finish what runs and to end. It returns how many were
// told, and does not wait for them.
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
	answers, err := l.inquire(inquiry{Kind: inquireStatus})
	if err != nil {
		return 0, err
	}
	answers.wait(ctx)
	n := 0
	for _, info := range answers.here() {
		if info.Name == name {
			n++
			if err := l.nc.Publish(l.node(info.ID), encodeOrders([]order{{Kind: orderDrain}})); err != nil {
				return n, fmt.Errorf("fleet: %w", err)
			}
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("fleet: no node %q says that it is there; respawn-fleet status lists them", name)
	}
	return n, l.nc.FlushTimeout(apiTimeout)
}
