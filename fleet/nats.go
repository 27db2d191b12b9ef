package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// This file is all that knows of JetStream.

const (
	queueName    = "default" // until there are more
	oldestBroker = "2.10.23" // an older one loses whole streams when it is killed: nats-io/nats-server#6888
	ourMark      = "respawn" // in the stream's metadata: the epoch
	pullExpires  = 2 * time.Second
	apiTimeout   = 5 * time.Second
)

// subjects of a fleet F: F.t.<queue>.<owner> are the stored tasks, F.o.<owner> what an owner is told, F.n.<node> what a node is, and
// F.nodes where nodes say that they are there.
type subjects string

func (f subjects) tasks(owner string) string { return string(f) + ".t." + queueName + "." + owner }
func (f subjects) allTasks() string          { return string(f) + ".t.>" }
func (f subjects) owner(id string) string    { return string(f) + ".o." + id }
func (f subjects) node(id string) string     { return string(f) + ".n." + id }
func (f subjects) nodes() string             { return string(f) + ".nodes" }

// newID is an identity: one process, never used again.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// link is a connection to the broker, with the fleet's stream there.
type link struct {
	subjects
	nc       *nats.Conn
	js       jetstream.JetStream
	replicas int
	memory   bool
	limits   limits

	mu       sync.Mutex
	stream   jetstream.Stream
	consumer string // the durable's name has the epoch of the stream in it, so that acks for another incarnation hit nothing
}

// connect opens a link. changed is called when the connection is lost or is back, on a goroutine of its own.
func connect(ctx context.Context, fleet, who, servers string, opts []nats.Option, changed func(up bool)) (*link, error) {
	all := append([]nats.Option{
		nats.Name(who), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(3), nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // what was not sent is decided anew after a reconnect
		nats.DisconnectErrHandler(func(*nats.Conn, error) { changed(false) }),
		nats.ReconnectHandler(func(*nats.Conn) { changed(true) }),
	}, opts...)
	if d, ok := ctx.Deadline(); ok {
		all = append(all, nats.Timeout(max(time.Until(d), time.Millisecond)))
	}
	nc, err := nats.Connect(servers, all...)
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return nil, fmt.Errorf("fleet: the broker at %s refuses these credentials: give others with Options: %w", servers, err)
	case err != nil:
		return nil, fmt.Errorf("fleet: no broker at %s: start one (respawn-fleet broker, or nats-server -js), or set Servers: %w", servers, err)
	}
	l := &link{subjects: subjects(fleet), nc: nc}
	if v := nc.ConnectedServerVersion(); olderThan(v, oldestBroker) {
		nc.Close()
		return nil, fmt.Errorf("%w: version %s at %s, want %s or later", ErrBrokerTooOld, v, servers, oldestBroker)
	}
	if l.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(apiTimeout)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return l, nil
}

// olderThan compares two versions of three numbers.
func olderThan(v, than string) bool {
	a, b := strings.SplitN(v, ".", 3), strings.SplitN(than, ".", 3)
	for i := range min(len(a), len(b)) {
		x, _ := strconv.Atoi(strings.SplitN(a[i], "-", 2)[0])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}

// ensure makes the stream and its consumer if they are not there, as they are not when a broker has come back without them.
func (l *link) ensure(ctx context.Context) error {
	storage := jetstream.FileStorage
	if l.memory {
		storage = jetstream.MemoryStorage
	}
	stream, err := l.js.Stream(ctx, string(l.subjects))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: string(l.subjects), Subjects: []string{l.allTasks()}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
			Replicas: l.replicas, Storage: storage, Metadata: map[string]string{ourMark: newID()},
		})
		if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody else was faster
			stream, err = l.js.Stream(ctx, string(l.subjects))
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return ErrNoJetStream
	case err != nil:
		return fmt.Errorf("fleet: make the stream %s: %w", l.subjects, err)
	}
	epoch := stream.CachedInfo().Config.Metadata[ourMark]
	if epoch == "" {
		return fmt.Errorf("%w (%s)", ErrNotOurs, l.subjects)
	}
	name := queueName + "-" + epoch
	_, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.limits.AckWait, MaxDeliver: -1,
		MaxAckPending: 100_000, MaxWaiting: 4096, FilterSubject: l.allTasks(),
	})
	if err != nil {
		return fmt.Errorf("fleet: make the consumer %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stream, l.consumer = stream, name
	return nil
}

func (l *link) current() (jetstream.Stream, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream, l.consumer
}

// publish stores a task; what the broker says of it comes to confirm, as stored reads it.
func (l *link) publish(e *envelope, confirm string) error {
	return l.nc.PublishMsg(&nats.Msg{
		Subject: l.tasks(e.Owner), Reply: confirm, Data: encode(e),
		Header: nats.Header{jetstream.MsgIDHeader: {msgID(e.Owner, e.No, e.Try)}},
	})
}

func msgID(owner string, no uint64, try int) string { return fmt.Sprintf("%s.%d.%d", owner, no, try) }

// refusedBy tells whether a message is the broker's word that nobody listens where its answer was asked for.
func refusedBy(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

// stored reads the answer to a publish: the sequence, or 0 if it was not stored.
func stored(m *nats.Msg) uint64 {
	var ack struct {
		Seq   uint64          `json:"seq"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(m.Data, &ack) != nil || ack.Error != nil {
		return 0
	}
	return ack.Seq
}

// pull asks for n tasks, which come to inbox.
func (l *link) pull(inbox string, n int) error {
	_, consumer := l.current()
	req, _ := json.Marshal(map[string]any{"batch": n, "expires": pullExpires}) // numbers: cannot fail
	return l.nc.PublishRequest(fmt.Sprintf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", l.subjects, consumer), inbox, req)
}

// fetched reads a message of a pull: a task, or ok false and whether the pull is over.
func fetched(m *nats.Msg) (d delivery, ok, over bool) {
	if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 {
		return d, false, status != "100"
	}
	parts := strings.Split(m.Reply, ".") // $JS.ACK.<stream>.<consumer>.<count>.<stream seq>.<consumer seq>.<time>.<pending>
	if len(parts) < 9 || decMode.Unmarshal(m.Data, &d.envelope) != nil {
		return d, false, false
	}
	n := len(parts)
	d.Count, _ = strconv.Atoi(parts[n-5])
	d.Seq, _ = strconv.ParseUint(parts[n-4], 10, 64)
	d.Ack = m.Reply
	return d, d.Owner != "" && d.Seq > 0, false
}

func (l *link) ack(subject string)      { _ = l.nc.Publish(subject, []byte("+ACK")) }
func (l *link) progress(subject string) { _ = l.nc.Publish(subject, []byte("+WPI")) }

func (l *link) nak(subject string, delay time.Duration) {
	body := []byte("-NAK")
	if delay > 0 {
		body = fmt.Appendf(body, ` {"delay": %d}`, delay)
	}
	_ = l.nc.Publish(subject, body)
}

// nakSeq has a delivery that nobody told of delivered again. The consumer's sequence need only be one that it has handed out.
func (l *link) nakSeq(ctx context.Context, seq uint64) {
	stream, consumer := l.current()
	c, err := stream.Consumer(ctx, consumer)
	if err != nil {
		return
	}
	if at := c.CachedInfo().Delivered; seq <= at.Stream {
		l.nak(fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.0.0", l.subjects, consumer, seq, at.Consumer), 0)
	}
}

// look tells whether the broker has a message of that id as seq, and whether it has handed it out. An error says that it cannot tell.
func (l *link) look(ctx context.Context, seq uint64, id string) (there, delivered bool, err error) {
	stream, consumer := l.current()
	m, err := stream.GetMsg(ctx, seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return false, false, nil
	case err != nil:
		return false, false, err
	case m.Header.Get(jetstream.MsgIDHeader) != id:
		return false, false, nil
	}
	c, err := stream.Consumer(ctx, consumer)
	if err != nil {
		return true, false, nil //nolint:nilerr // the message is there, which is what was asked
	}
	return true, seq <= c.CachedInfo().Delivered.Stream, nil
}

func (l *link) remove(ctx context.Context, seq uint64) {
	stream, _ := l.current()
	_ = stream.DeleteMsg(ctx, seq) // it may be gone
}

// purge takes all tasks of an owner out of the stream.
func (l *link) purge(ctx context.Context, owner string) {
	stream, _ := l.current()
	_ = stream.Purge(ctx, jetstream.WithPurgeSubject(l.tasks(owner)))
}
