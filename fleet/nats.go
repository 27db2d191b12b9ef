package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// This file is all that knows of JetStream.

const (
	queueName      = "default" // until there are more
	oldestBroker   = "2.10.23" // an older one loses whole streams when it is killed: nats-io/nats-server#6888
	pausingBroker  = "2.11.0"  // an older one cannot pause a queue
	ourMark        = "respawn" // in the stream's metadata: the epoch
	pullExpires    = 2 * time.Second
	connectTimeout = 10 * time.Second // of a caller without a deadline: a busy broker takes more than a moment to greet
	apiTimeout     = 5 * time.Second
	lookTimeout    = time.Second // for a look that is repeated
	leastPayload   = 64 << 10    // bytes of a message
)

// subjects of a fleet F: F.t.<epoch>.<queue>.<owner> are the stored tasks, F.o.<owner> what an owner is told,
// F.n.<node> what a node is, F.name.<node's name and host> who has that name, F.nodes where nodes say that they are
// there, F.ask where operators ask, and F.op.<question> where they are answered.
type subjects string

func (f subjects) tasks(epoch, owner string) string {
	return string(f) + ".t." + epoch + "." + queueName + "." + owner
}
func (f subjects) allTasks(epoch string) string { return string(f) + ".t." + epoch + ".>" }
func (f subjects) owner(id string) string       { return string(f) + ".o." + id }
func (f subjects) node(id string) string        { return string(f) + ".n." + id }
func (f subjects) name(name, host string) string {
	sum := sha256.Sum256([]byte(host)) // which is any text
	return fmt.Sprintf("%s.name.%s-%x", f, name, sum[:8])
}
func (f subjects) nodes() string             { return string(f) + ".nodes" }
func (f subjects) asks() string              { return string(f) + ".ask" }
func (f subjects) operator(id string) string { return string(f) + ".op." + id }

// newID is an identity: one process, never used again.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// link is a connection to the broker, with the fleet's stream there.
type link struct {
	subjects
	nc     *nats.Conn
	js     jetstream.JetStream
	makes  bool                   // the stream, if it is not there
	config jetstream.StreamConfig // as it is made then
	limits limits

	rights context.Context // ends when the broker denies this user something; its cause says what
	deny   context.CancelCauseFunc
	inUse  atomic.Bool // by an owner or a node that is made

	mu     sync.Mutex
	stream jetstream.Stream
	// the durable's name has the epoch of the stream in it, so that acks for another incarnation hit nothing
	consumer string
}

// connect opens a link. changed is called when the connection is lost or is back, on a goroutine of its own.
func connect(ctx context.Context, fleet, who, servers string, opts []nats.Option,
	changed func(up bool),
) (*link, error) {
	l := &link{subjects: subjects(fleet)}
	l.rights, l.deny = context.WithCancelCause(context.Background())
	all := append([]nats.Option{
		nats.Name(who), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(3), nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // what was not sent is decided anew after a reconnect
		nats.DisconnectErrHandler(func(*nats.Conn, error) { l.told(changed, false) }),
		nats.ReconnectHandler(func(*nats.Conn) { l.told(changed, true) }),
		nats.ErrorHandler(l.trouble),
	}, opts...)
	limit := connectTimeout
	if d, ok := ctx.Deadline(); ok {
		limit = max(time.Until(d), time.Millisecond)
	}
	all = append(all, nats.Timeout(limit))
	var err error
	if l.nc, err = nats.Connect(servers, all...); err != nil {
		return nil, unreachable(servers, err)
	}
	if v := l.nc.ConnectedServerVersion(); olderThan(v, oldestBroker) {
		l.nc.Close()
		return nil, fmt.Errorf("%w: version %s at %s, want %s or later", ErrBrokerTooOld, v, servers, oldestBroker)
	}
	if most := l.nc.MaxPayload(); most < leastPayload {
		l.nc.Close()
		return nil, fmt.Errorf("%w: messages of at most %d bytes at %s, want %d or more (max_payload)",
			ErrBrokerTooSmall, most, servers, leastPayload)
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithDefaultTimeout(apiTimeout)); err != nil {
		l.nc.Close()
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return l, nil
}

// told passes on that the connection was lost or is back, to who has it in use.
func (l *link) told(changed func(up bool), up bool) {
	if l.inUse.Load() {
		changed(up)
	}
}

// trouble is told what goes wrong on a connection that is up. What a user may not do is told in no other way.
func (l *link) trouble(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		l.deny(fmt.Errorf("%w: docs/fleet.md lists what an owner and a node need: %w", ErrDenied, err))
	}
}

// refusedAt asks a broker, over a connection of its own, whether nobody listens at a node's address. One that cannot be
// asked does not say so, nor does one that passes the question on.
func (l *link) refusedAt(broker, node string, opts []nats.Option) bool {
	nc, err := nats.Connect(broker, append(opts, nats.Timeout(time.Second), nats.Name("respawn question"))...)
	if err != nil {
		return false
	}
	defer nc.Close()
	_, err = nc.Request(l.node(node), nil, 200*time.Millisecond)
	return errors.Is(err, nats.ErrNoResponders)
}

// allowed gives the broker's word on what was asked of it before: nil, or what this user may not do.
func (l *link) allowed() error {
	if err := l.nc.FlushTimeout(apiTimeout); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	l.trouble(l.nc, nil, l.nc.LastError()) // its own goroutine may tell that later
	return context.Cause(l.rights)
}

// unreachable says why there is no connection, and what would help.
func unreachable(servers string, err error) error {
	var path *os.PathError
	var x509 *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err,
		nats.ErrAuthRevoked):
		return fmt.Errorf("fleet: the broker at %s refuses these credentials: give others with Options: %w",
			servers, err)
	case errors.As(err, &path):
		return fmt.Errorf("fleet: a file that Options name cannot be read: %w", err)
	case errors.As(err, &x509), errors.As(err, &header), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err,
		nats.ErrSecureConnWanted):
		return fmt.Errorf("fleet: no secure connection to the broker at %s: give its CA and a certificate with "+
			"Options (nats.RootCAs, nats.ClientCert): %w", servers, err)
	}
	return fmt.Errorf("%w at %s: start one (respawn-fleet broker, or nats-server -js), or set Servers (--servers): %w",
		ErrNoBroker, servers, err)
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

// settle has the stream ready, and waits for that while brokers are only just coming up, until ctx ends or for half a
// minute.
func (l *link) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		try, stop := context.WithTimeout(ctx, apiTimeout)
		_, err := l.ensure(try)
		stop()
		var passing *passingError
		if !errors.As(err, &passing) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// passingError is one that a cluster of brokers has until it has its leaders.
type passingError struct{ error }

func (e *passingError) Unwrap() error { return e.error }

// ensure finds the stream and its consumer, and makes them if they are not there, as they are not when a broker has
// come back without them. Nodes make nothing: the settings are an owner's. ctx is to have a deadline. It tells the
// epoch of the stream: each that is made has another, in its metadata and in the subjects that it stores, so that what
// was meant for one is in no other.
func (l *link) ensure(ctx context.Context) (epoch string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.rights, cancel)()
	stream, err := l.js.Stream(ctx, string(l.subjects))
	if errors.Is(err, jetstream.ErrStreamNotFound) && l.makes {
		c, epoch := l.config, newID()
		c.Metadata, c.Subjects = map[string]string{ourMark: epoch}, []string{l.allTasks(epoch)}
		_, err = l.js.CreateStream(ctx, c)
		if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody else was faster
			stream, err = l.js.Stream(ctx, string(l.subjects))
		}
	}
	if err != nil {
		return "", l.explain(err)
	}
	epoch = stream.CachedInfo().Config.Metadata[ourMark]
	if epoch == "" {
		return "", fmt.Errorf("%w (%s)", ErrNotOurs, l.subjects)
	}
	name := queueName + "-" + epoch
	if _, err = stream.Consumer(ctx, name); errors.Is(err, jetstream.ErrConsumerNotFound) && l.makes {
		_, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.limits.AckWait, MaxDeliver: -1,
			MaxAckPending: 100_000, MaxWaiting: 4096,
		})
	}
	if err != nil {
		return "", l.explain(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stream, l.consumer = stream, name
	return epoch, nil
}

// streamConfig is how an owner's stream is made, but for its epoch.
func streamConfig(c Config) jetstream.StreamConfig {
	s := jetstream.StreamConfig{
		Name: c.Fleet, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		Replicas: c.Replicas, Storage: jetstream.FileStorage, MaxBytes: c.QueueBytes,
	}
	if c.InMemory {
		s.Storage = jetstream.MemoryStorage
	}
	return s
}

// kept is how the queue is kept that ensure has found last: another owner may have made it, with other settings.
func (l *link) kept() jetstream.StreamConfig {
	stream, _ := l.current()
	return stream.CachedInfo().Config
}

// explain says what a broker's refusal means, and what would help.
func (l *link) explain(err error) error {
	var api *jetstream.APIError
	code := jetstream.ErrorCode(0)
	if errors.As(err, &api) {
		code = api.ErrorCode
	}
	c := l.config
	if denied := context.Cause(l.rights); denied != nil {
		return denied
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return ErrNoJetStream
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, context.Canceled):
		return fmt.Errorf("fleet: %w", err)
	case code == 10074: // replicas > 1 not supported in non-clustered mode
		return fmt.Errorf("fleet: Config.Replicas is %d, and this broker stands alone: start that many with "+
			"respawn-fleet broker --join, or set 1: %w", c.Replicas, err)
	case code == 10005 && strings.Contains(api.Description, "insufficient"), code == 10002, code == 10023,
		code == 10028, code == 10047:
		// resources
		return fmt.Errorf("%w for a queue of %d bytes: give it more (max_memory_store or max_file_store), or set "+
			"Config.QueueBytes lower: %w", ErrBrokerTooSmall, c.MaxBytes, err)
	case code == 10005, code == 10008: // no suitable peers for placement, temporarily unavailable
		return &passingError{fmt.Errorf("fleet: fewer than %d brokers are there to keep the queue: start the others, "+
			"or set Config.Replicas lower: %w", c.Replicas, err)}
	case code == 10099: // multiple non-filtered consumers
		return fmt.Errorf("fleet: the queue %s has a consumer that its owners do not know, as when a broker of a "+
			"cluster has a directory of a time when it stood alone: stop the brokers, empty their directories, start "+
			"them again: %w", l.subjects, err)
	case code == 10026, code == 10027: // maximum of consumers, of streams
		return fmt.Errorf("%w: one stream and one consumer more are wanted, and the account may have no more: %w",
			ErrBrokerTooSmall, err)
	case code == 10065: // subjects overlap
		return fmt.Errorf("%w: another stream has the subjects %s.t.> already: choose another Config.Fleet: %w",
			ErrNotOurs, l.subjects, err)
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
		return &passingError{fmt.Errorf("fleet: nobody has made the queue %s yet: an owner does (fleet.Dial): %w",
			l.subjects, err)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return &passingError{
			fmt.Errorf("fleet: the broker does not answer for the stream %s: of a cluster a majority must be up: %w",
				l.subjects, err),
		}
	}
	return fmt.Errorf("fleet: the stream %s: %w", l.subjects, err)
}

// epoch is the one that ensure has told last.
func (l *link) epoch() string {
	_, consumer := l.current()
	return strings.TrimPrefix(consumer, queueName+"-")
}

func (l *link) current() (jetstream.Stream, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream, l.consumer
}

// part is how much of a payload goes into one message, which has half of what the broker carries at most.
func (l *link) part() int { return int(min(maxPart, l.nc.MaxPayload()/2-4096)) }

// publish stores a task, under the subject that tasks gives; what the broker says of it comes to confirm, as stored
// reads it. There is no message id: the broker would keep each of them for minutes, and what is published again is
// another try.
func (l *link) publish(e *envelope, subject, confirm string) error {
	return l.nc.PublishRequest(subject, confirm, encode(e))
}

// refusedBy tells whether a message is the broker's word that nobody listens where its answer was asked for.
func refusedBy(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

// stored reads the answer to a publish: the sequence, or 0 if it was not stored.
func stored(m *nats.Msg) uint64 {
	if bytes.Contains(m.Data, []byte(`"error"`)) {
		return 0
	}
	_, after, _ := bytes.Cut(m.Data, []byte(`"seq":`))
	n := 0
	for n < len(after) && after[n] >= '0' && after[n] <= '9' {
		n++
	}
	seq, _ := strconv.ParseUint(string(after[:n]), 10, 64)
	return seq
}

var errNoQueue = errors.New("fleet: the queue is not there, or not whole")

// pull asks for n tasks, which come to inbox.
func (l *link) pull(inbox string, n int) error {
	_, consumer := l.current()
	if consumer == "" {
		return errNoQueue
	}
	req, _ := json.Marshal(map[string]any{"batch": n, "expires": pullExpires}) // numbers: cannot fail
	return l.nc.PublishRequest(fmt.Sprintf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", l.subjects, consumer), inbox, req)
}

// fetched reads a message of a pull into an empty d: a task, or ok false and whether the pull is over.
func fetched(m *nats.Msg, d *delivery) (ok, over bool) {
	if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 {
		return false, status != "100"
	}
	if decMode.Unmarshal(m.Data, &d.envelope) != nil {
		return false, false
	}
	d.Count, d.Seq = position(m.Reply)
	d.Ack = m.Reply
	return d.Owner != "" && d.Seq > 0 && d.Size >= 0 && d.Size <= maxPayload, false
}

// position reads what the subject of an acknowledgement says of its delivery, or 0:
// $JS.ACK.<stream>.<consumer>.<count>.<stream seq>.<consumer seq>.<time>.<pending>, where newer brokers have more
// before the stream.
func position(ack string) (count int, seq uint64) {
	rest := ack
	field := func() (last string) {
		at := strings.LastIndexByte(rest, '.')
		last, rest = rest[at+1:], rest[:max(at, 0)]
		return last
	}
	_, _, _ = field(), field(), field()
	seq, _ = strconv.ParseUint(field(), 10, 64)
	count, _ = strconv.Atoi(field())
	if strings.Count(rest, ".") < 3 {
		return 0, 0
	}
	return count, seq
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

// nakSeq has a delivery that nobody told of delivered again. The consumer's sequence need only be one that it has
// handed out.
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

// look tells whether the broker has that try of a task as seq, and whether it has handed it out. An error says that it
// cannot tell: errNoQueue if nobody hands it out.
func (l *link) look(ctx context.Context, seq uint64, owner string, no uint64,
	try int,
) (there, delivered bool, err error) {
	stream, consumer := l.current()
	m, err := stream.GetMsg(ctx, seq)
	var e envelope
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return false, false, nil
	case err != nil:
		return false, false, err
	case decMode.Unmarshal(m.Data, &e) != nil, e.Owner != owner, e.No != no, e.Try != try:
		return false, false, nil
	}
	c, err := stream.Consumer(ctx, consumer)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return true, false, errNoQueue
	case err != nil:
		return true, false, err
	}
	return true, seq <= c.CachedInfo().Delivered.Stream, nil
}

func (l *link) remove(ctx context.Context, seq uint64) {
	stream, _ := l.current()
	_ = stream.DeleteMsg(ctx, seq) // it may be gone
}

// purge takes all tasks of an owner out of the stream, or those up to a sequence if that is not 0.
func (l *link) purge(ctx context.Context, owner string, upTo uint64) {
	stream, _ := l.current()
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(l.tasks("*", owner))}
	if upTo > 0 {
		opts = append(opts, jetstream.WithPurgeSequence(upTo+1))
	}
	_ = stream.Purge(ctx, opts...)
}
