package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// configured is a broker that listens, with what a file of nats-server's says.
func configured(t *testing.T, file string) *broker.Broker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	g := NewWithT(t)
	g.Expect(os.WriteFile(path, []byte(file), 0o600)).To(Succeed())
	b, err := broker.Start(broker.Config{Port: -1, File: path})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// refused has an owner and a node try the same broker: each is told what is wrong, in one line.
func refused(t *testing.T, url string, opts []nats.Option, words string, is error) {
	t.Helper()
	g := NewWithT(t)
	_, dialled := fleet.Dial(bound(t), fleet.Config{Fleet: "test", Servers: url, Options: opts, InMemory: true})
	served := fleet.Serve(bound(t), fleet.Node{Fleet: "test", Servers: url, Options: opts, Pool: pool.Config{Size: 1}})
	for _, err := range []error{dialled, served} {
		g.Expect(err).To(MatchError(ContainSubstring(words)))
		g.Expect(strings.TrimSpace(err.Error())).NotTo(ContainSubstring("\n"))
		if is != nil {
			g.Expect(err).To(MatchError(is))
		}
	}
}

func TestWrongCredentialsAreNamedAsSuch(t *testing.T) {
	t.Parallel()
	b := configured(t, "authorization { user: alice, password: secret }\n")
	refused(t, b.URL(), nil, "refuses these credentials: give others with Options", nats.ErrAuthorization)
	refused(t, b.URL(), []nats.Option{nats.UserInfo("alice", "wrong")}, "refuses these credentials", nil)
	refused(t, b.URL(), []nats.Option{nats.UserCredentials("/nowhere/alice.creds")},
		"a file that Options name cannot be read", nil)
	_, err := fleet.Dial(bound(t), fleet.Config{
		Fleet: "test", Servers: b.URL(), Options: []nats.Option{nats.UserInfo("alice", "secret")}, InMemory: true,
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

func TestAUserWithoutTheRightsIsToldWhichAreMissing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b := configured(t, `authorization { users: [
		{ user: all, password: x }
		{ user: deaf, password: x, permissions: { publish: ">", subscribe: "_INBOX.>" } }
		{ user: mute, password: x, permissions: { publish: { deny: "test.t.>" } } }
	] }`)
	as := func(user string) []nats.Option { return []nats.Option{nats.UserInfo(user, "x")} }
	_, err := fleet.Dial(bound(t), fleet.Config{Fleet: "test", Servers: b.URL(), Options: as("deaf"), InMemory: true})
	g.Expect(err).To(MatchError(fleet.ErrDenied))
	g.Expect(err).To(MatchError(ContainSubstring("test.")), "the subject")
	err = fleet.Serve(bound(t),
		fleet.Node{Fleet: "test", Servers: b.URL(), Options: as("deaf"), Pool: pool.Config{Size: 1}})
	g.Expect(err).To(MatchError(fleet.ErrDenied))
	f := dial(t, fleet.Config{Fleet: "test", Servers: b.URL(), Options: as("mute"), InMemory: true})
	_, err = square.Call(bound(t), f, 7)
	g.Expect(err).To(MatchError(fleet.ErrDenied), "nothing hangs for what cannot be sent")
}

func TestABrokerThatWantsTLSIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	g.Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalECPrivateKey(key)
	g.Expect(err).NotTo(HaveOccurred())
	ca := filepath.Join(dir, "cert.pem")
	g.Expect(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(dir, "key.pem"),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)).To(Succeed())
	b := configured(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }\n", ca, filepath.Join(dir, "key.pem")))
	refused(t, b.URL(), nil, "no secure connection to the broker at "+b.URL(), nil)
	_, err = fleet.Dial(bound(t),
		fleet.Config{Fleet: "test", Servers: b.URL(), Options: []nats.Option{nats.RootCAs(ca)}, InMemory: true})
	g.Expect(err).NotTo(HaveOccurred())
}

// TestABrokerThatIsTooOldIsRefused has a server that only says that it is.
func TestABrokerThatIsTooOldIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = fmt.Fprint(c, "INFO {\"server_id\":\"X\",\"version\":\"2.10.22\",\"max_payload\":1048576,"+
					"\"headers\":true,\"proto\":1}\r\n")
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "PING") {
						_, _ = fmt.Fprint(c, "PONG\r\n")
					}
				}
			}()
		}
	}()
	refused(t, "nats://"+l.Addr().String(), nil, "version 2.10.22", fleet.ErrBrokerTooOld)
}

func TestABrokerThatStoresNothingIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	g.Expect(err).NotTo(HaveOccurred())
	s.Start()
	defer s.Shutdown()
	g.Expect(s.ReadyForConnections(patience)).To(BeTrue())
	refused(t, s.ClientURL(), nil, "start it with jetstream on", fleet.ErrNoJetStream)
}

func TestLimitsThatAreTooSmallAreNamed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	refused(t, configured(t, "max_payload: 1024\n").URL(), nil, "want 65536 or more (max_payload)",
		fleet.ErrBrokerTooSmall)
	b, err := broker.Start(broker.Config{Port: -1, MaxMemory: 1 << 20})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	_, err = fleet.Dial(bound(t), fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true})
	g.Expect(err).To(MatchError(fleet.ErrBrokerTooSmall))
	g.Expect(err).To(MatchError(ContainSubstring("or set Config.QueueBytes lower")))
	_, err = fleet.Dial(bound(t),
		fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true, Replicas: 3, QueueBytes: 1 << 20})
	g.Expect(err).To(MatchError(ContainSubstring("this broker stands alone: start that many")))
	_, err = fleet.Dial(bound(t), fleet.Config{Fleet: "test", Servers: b.URL(), InMemory: true, QueueBytes: 1 << 20})
	g.Expect(err).NotTo(HaveOccurred())
}

func TestAStreamOfThatNameThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{Port: -1})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	nc, err := nats.Connect(b.URL())
	g.Expect(err).NotTo(HaveOccurred())
	defer nc.Close()
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = js.CreateStream(bound(t), jetstream.StreamConfig{Name: "test", Subjects: []string{"orders"}})
	g.Expect(err).NotTo(HaveOccurred())
	refused(t, b.URL(), nil, "choose another Config.Fleet", fleet.ErrNotOurs)
	_, err = js.CreateStream(bound(t), jetstream.StreamConfig{Name: "events", Subjects: []string{"other.>"}})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = fleet.Dial(bound(t), fleet.Config{Fleet: "other", Servers: b.URL(), InMemory: true})
	g.Expect(err).To(MatchError(fleet.ErrNotOurs))
	g.Expect(err).To(MatchError(ContainSubstring("another stream has the subjects other.t.>")))
}

func TestAQueueThatIsKeptLessSafelyThanAskedForIsToldOf(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	warned := func(c fleet.Config) string {
		var log bytes.Buffer
		c.Fleet, c.Options, c.Logger = "test", b.Options(), slog.New(slog.NewTextHandler(&log, nil))
		f, err := fleet.Dial(bound(t), c)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(f.Close()).To(Succeed())
		return log.String()
	}
	g.Expect(warned(fleet.Config{InMemory: true})).To(BeEmpty(), "it has made the queue")
	g.Expect(warned(fleet.Config{InMemory: true, Replicas: 3})).To(And(ContainSubstring("less safely"),
		ContainSubstring(" replicas=1 "), ContainSubstring("Config.Replicas=3")))
	g.Expect(warned(fleet.Config{})).To(And(ContainSubstring("less safely"), ContainSubstring("storage=Memory"),
		ContainSubstring("Config.InMemory=false")))
}

// So it is when a broker has joined a cluster with what it had stored alone.
func TestAConsumerThatNoOwnerKnowsIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	c := fleet.Config{Fleet: "test", Options: b.Options(), InMemory: true}
	f, err := fleet.Dial(bound(t), c)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.Close()).To(Succeed())
	s, done := queue(t, c)
	defer done()
	for name := range s.ConsumerNames(bound(t)).Name() {
		g.Expect(s.DeleteConsumer(bound(t), name)).To(Succeed())
	}
	_, err = s.CreateConsumer(bound(t),
		jetstream.ConsumerConfig{Durable: "other", AckPolicy: jetstream.AckExplicitPolicy})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = fleet.Dial(bound(t), c)
	g.Expect(err).To(MatchError(ContainSubstring("empty their directories")))
}

func TestOwnersShareAFleetAndNodesANameDoNot(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	n := fleet.Node{Fleet: "test", Options: b.Options(), Name: "here", Pool: pool.Config{Size: 2}}
	serve(t, n)
	c := fleet.Config{Fleet: "test", Options: b.Options(), InMemory: true}
	one, other := dial(t, c), dial(t, c)
	for i := range 20 { // the same numbers at both
		a, z := square.Submit(bound(t), one, i), square.Submit(bound(t), other, 100+i)
		g.Expect(a.Result(bound(t))).To(Equal(i * i))
		g.Expect(z.Result(bound(t))).To(Equal((100 + i) * (100 + i)))
	}
	err = fleet.Serve(bound(t), n)
	g.Expect(err).To(MatchError(fleet.ErrNameTaken))
	g.Expect(square.Call(bound(t), one, 3)).To(Equal(9), "the one that is there has not been declared dead")
}

func TestATaskForOtherWorkersThanAnyNodeHasIsRefused(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	serve(t, fleet.Node{Fleet: "test", Options: b.Options(), Name: "here", Pool: pool.Config{Size: 1}})
	f := dial(t, fleet.Config{Fleet: "test", Options: b.Options(), InMemory: true, NoNodes: time.Second})
	g.Eventually(f.Nodes).WithTimeout(patience).Should(HaveLen(1))
	_, err = pySquare.Call(bound(t), f, 7) // declared for workers in Python
	g.Expect(err).To(MatchError(pool.ErrOtherWorkers))
	ctx, cancel := context.WithTimeout(bound(t), patience)
	defer cancel()
	g.Expect(square.Call(ctx, f, 7)).To(Equal(49), "the others go on")
}

// A node keeps no more than 64 MiB of arguments at a time: one of a task that it has refused is not among them.
func TestTheLargeArgumentOfARefusedTaskIsNotKept(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	serve(t, fleet.Node{Fleet: "test", Options: b.Options(), Name: "here", Pool: pool.Config{Size: 1}})
	f := dial(t, fleet.Config{Fleet: "test", Options: b.Options(), InMemory: true, NoNodes: time.Second})
	large := make([]byte, 33<<20)
	for range 2 {
		_, err = pyEcho.Call(bound(t), f, large)
		g.Expect(err).To(MatchError(pool.ErrOtherWorkers))
	}
	got, err := echo.Call(bound(t), f, large)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(HaveLen(len(large)))
}
