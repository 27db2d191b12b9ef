package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/wait"
)

// brokers looks at the brokers of a fleet, each by a connection of its own that goes to no other.
type brokers struct {
	local *localfleet.Fleet
	queue string // the name of the stream
	links map[int]*nats.Conn

	mu      sync.Mutex
	greeted map[int]int // by slot, the process that has answered
	last    *queueInfo
	at      time.Time // of last
}

// queueInfo is what a broker says of the queue: see NATS' JetStream API, STREAM.INFO.
type queueInfo struct {
	Config struct {
		Metadata map[string]string `json:"metadata"`
	} `json:"config"`
	State struct {
		Messages uint64         `json:"messages"`
		LastSeq  uint64         `json:"last_seq"`
		Subjects map[string]int `json:"subjects"` // how many of each, if that was asked for
	} `json:"state"`
	Cluster *struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Name    string `json:"name"`
			Current bool   `json:"current"`
		} `json:"replicas"`
	} `json:"cluster"`
	Error *apiError `json:"error"`
}

type apiError struct {
	Description string `json:"description"`
}

func (e *apiError) Error() string { return e.Description }

// lookEvery is how often the brokers are looked at, and askFor how long one is waited for.
const (
	lookEvery = 50 * time.Millisecond
	askFor    = 500 * time.Millisecond
)

// lookAt begins to look at the brokers, until ctx ends.
func lookAt(ctx context.Context, local *localfleet.Fleet, queue string, nodes int) (*brokers, error) {
	b := &brokers{local: local, queue: queue, links: map[int]*nats.Conn{}, greeted: map[int]int{}}
	for i, url := range strings.Split(local.Servers(), ",") {
		nc, err := nats.Connect(url, nats.Name("respawn-fleet target"), nats.IgnoreDiscoveredServers(),
			nats.RetryOnFailedConnect(true),
			nats.MaxReconnects(-1), nats.ReconnectWait(lookEvery), nats.ReconnectJitter(0, 0),
			nats.ReconnectBufSize(-1))
		if err != nil {
			b.close()
			return nil, err
		}
		b.links[nodes+i+1] = nc // behind the nodes, which count from 1
	}
	go func() {
		defer b.close()
		for wait.For(ctx, lookEvery) == nil {
			b.look(ctx)
		}
	}()
	return b, nil
}

func (b *brokers) close() {
	for _, nc := range b.links {
		nc.Close()
	}
}

// look greets whoever has not answered yet, and asks about the queue whoever answers first.
func (b *brokers) look(ctx context.Context) {
	asked := false
	for _, m := range b.members() {
		nc := b.links[m.Slot]
		b.mu.Lock()
		known := b.greeted[m.Slot] == m.PID
		b.mu.Unlock()
		if !known && nc.IsConnected() && nc.FlushTimeout(askFor) == nil && b.process(m.Slot) == m.PID {
			b.mu.Lock()
			b.greeted[m.Slot] = m.PID
			b.mu.Unlock()
		}
		if asked || !nc.IsConnected() {
			continue
		}
		if info, err := b.ask(ctx, m.Slot); err == nil {
			asked = true
			b.mu.Lock()
			b.last, b.at = info, time.Now()
			b.mu.Unlock()
		}
	}
}

// members are the brokers whose processes are there.
func (b *brokers) members() []localfleet.Member {
	return slices.DeleteFunc(b.local.Members(), func(m localfleet.Member) bool { return m.Role != localfleet.Broker })
}

// process is the broker's in that slot; 0 without one.
func (b *brokers) process(slot int) int {
	for _, m := range b.members() {
		if m.Slot == slot {
			return m.PID
		}
	}
	return 0
}

// answers tells whether the process of a broker has answered since it was started.
func (b *brokers) answers(m localfleet.Member) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.greeted[m.Slot] == m.PID
}

// phase is what a broker is to the queue: "" while nobody says.
func (b *brokers) phase(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil || time.Since(b.at) > time.Second {
		return ""
	}
	return b.last.phase(name)
}

func (q *queueInfo) phase(name string) string {
	if q.Cluster == nil || q.Cluster.Leader == name {
		return "leader"
	}
	for _, r := range q.Cluster.Replicas {
		if r.Name == name && !r.Current {
			return "catching-up"
		}
	}
	return "follower"
}

// ask asks about the queue by way of one broker.
func (b *brokers) ask(ctx context.Context, slot int) (*queueInfo, error) {
	info := &queueInfo{}
	if err := b.request(ctx, slot, "STREAM.INFO."+b.queue, nil, info); err != nil {
		return nil, err
	}
	if info.Error != nil {
		return nil, info.Error
	}
	return info, nil
}

// request asks the brokers' JetStream API something by way of one broker.
func (b *brokers) request(ctx context.Context, slot int, what string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	m, err := b.links[slot].RequestWithContext(ctx, "$JS.API."+what, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(m.Data, answer)
}

// probe asks a broker about the queue, and returns the process that answered for it.
func (b *brokers) probe(ctx context.Context, slot int) (pid int, err error) {
	if b.links[slot] == nil {
		return 0, fmt.Errorf("slot %d has no broker", slot-1)
	}
	pid = b.process(slot)
	info, err := b.ask(ctx, slot)
	if err != nil {
		return 0, err
	}
	for _, m := range b.members() {
		if m.Slot == slot && m.PID == pid && b.answers(m) {
			if info.phase(m.Name) == "catching-up" {
				return 0, fmt.Errorf("%s has not caught up", m.Name)
			}
			return pid, nil
		}
	}
	return 0, fmt.Errorf("the broker in slot %d has ended meanwhile, or has not answered yet", slot-1)
}

// anyone asks the brokers' JetStream API something by way of whichever broker answers first.
func (b *brokers) anyone(ctx context.Context, what string, body []byte, answer any) (err error) {
	for _, m := range b.members() {
		if err = b.request(ctx, m.Slot, what, body, answer); err == nil {
			return nil
		}
	}
	return err
}

// stored is how many tasks of that owner are in the queue.
func (b *brokers) stored(ctx context.Context, owner string) (n int, err error) {
	info := &queueInfo{}
	if err := b.anyone(ctx, "STREAM.INFO."+b.queue, []byte(`{"subjects_filter":">"}`), info); err != nil {
		return 0, err
	}
	if info.Error != nil {
		return 0, info.Error
	}
	for subject, of := range info.State.Subjects {
		if strings.HasSuffix(subject, "."+owner) {
			n += of
		}
	}
	return n, nil
}

// publish sends a message by way of the first broker that is connected.
func (b *brokers) publish(subject string, body []byte) error {
	for _, nc := range b.links {
		if nc.IsConnected() {
			return nc.Publish(subject, body)
		}
	}
	return nats.ErrConnectionClosed
}

// consumerInfo is what a broker says of what has been handed out: see NATS' JetStream API, CONSUMER.INFO.
type consumerInfo struct {
	Delivered   sequences `json:"delivered"`
	AckFloor    sequences `json:"ack_floor"`
	Redelivered int       `json:"num_redelivered"`
	Pending     int       `json:"num_ack_pending"`
	Cluster     *struct {
		Leader string `json:"leader"`
	} `json:"cluster"`
	Error *apiError `json:"error"`
}

type sequences struct {
	Consumer uint64 `json:"consumer_seq"`
	Stream   uint64 `json:"stream_seq"`
}

// consumer is what has been handed out, and the name by which the brokers know that.
func (b *brokers) consumer(ctx context.Context) (*consumerInfo, string, error) {
	info := &queueInfo{}
	if err := b.anyone(ctx, "STREAM.INFO."+b.queue, nil, info); err != nil {
		return nil, "", err
	}
	name, of := "default-"+info.Config.Metadata["respawn"], &consumerInfo{}
	if err := b.anyone(ctx, "CONSUMER.INFO."+b.queue+"."+name, nil, of); err != nil {
		return nil, "", err
	}
	if of.Error != nil {
		return nil, "", of.Error
	}
	return of, name, nil
}

// leads is who leads the queue, or what is handed out of it; "" for one broker alone.
func (b *brokers) leads(ctx context.Context, of string) (string, error) {
	if of == "consumer" {
		info, _, err := b.consumer(ctx)
		if err != nil || info.Cluster == nil {
			return "", err
		}
		return info.Cluster.Leader, nil
	}
	info := &queueInfo{}
	if err := b.anyone(ctx, "STREAM.INFO."+b.queue, nil, info); err != nil {
		return "", err
	}
	if info.Error != nil || info.Cluster == nil {
		return "", nil
	}
	return info.Cluster.Leader, nil
}

// ledBy is the request by which a leader of that steps down.
func (b *brokers) ledBy(of string) (string, error) {
	switch of {
	case "queue":
		return "STREAM.LEADER.STEPDOWN." + b.queue, nil
	case "consumer":
		_, name, err := b.consumer(context.Background())
		return "CONSUMER.LEADER.STEPDOWN." + b.queue + "." + name, err
	}
	return "", fmt.Errorf("%snobody leads %q: want queue or consumer", refused, of)
}
