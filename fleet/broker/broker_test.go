package broker_test

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
)

func TestWhatABrokerCannotBeIsSaidInOneSentence(t *testing.T) {
	g := NewWithT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	g.Expect(os.WriteFile(file, []byte("jetstream {\n  nonsense: [\n"), 0o600)).To(Succeed())
	for words, c := range map[string]broker.Config{
		"cannot be had: end who has it":                {Port: l.Addr().(*net.TCPAddr).Port},
		"Config.Dir cannot be used":                    {Dir: file},
		"the configuration " + file:                    {File: file},
		`Config.Name is "a b": want 1 to 64 letters`:   {Name: "a b"},
		"Config.Port is 70000: want 1 to 65535":        {Port: 70000},
		"want those of all brokers of the cluster":     {Join: []string{"a:6222"}},
		`"a" is no address of a broker`:                {Join: []string{"a", "b:6222"}},
		`"a:0" has no port`:                            {Join: []string{"a:0", "b:6222"}},
		"name this broker there, too":                  {Join: []string{"a:1", "b:1", "c:1"}},
		"Config.Port is 0, and one of a cluster":       {Join: []string{"a:6222", "b:6222"}},
		"Join is empty: name the brokers of the":       {Cluster: "a:6222"},
		"Config.MaxMemory and MaxStore: want positive": {MaxMemory: -1},
	} {
		b, err := broker.Start(c)
		if err == nil {
			_ = b.Close()
		}
		g.Expect(err).To(MatchError(ContainSubstring(words)))
		g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
	}
}

// nats-server takes such a directory, and hands out tasks of which the cluster does not know that they have settled.
func TestWhatABrokerStoredAloneIsNotTakenIntoACluster(t *testing.T) {
	g := NewWithT(t)
	alone := broker.Config{Port: -1, Dir: t.TempDir()}
	together := broker.Config{
		Name: "a", Dir: alone.Dir, Cluster: "127.0.0.1:1", Join: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	}
	for range 2 { // it may be alone again
		b, err := broker.Start(alone)
		g.Expect(err).NotTo(HaveOccurred())
		c, err := nats.Connect(b.URL())
		g.Expect(err).NotTo(HaveOccurred())
		js, err := jetstream.New(c)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		g.Expect(err).NotTo(HaveOccurred())
		c.Close()
		g.Expect(b.Close()).To(Succeed())
		_, err = broker.Start(together)
		g.Expect(err).To(MatchError(ContainSubstring("a broker that stood alone")))
	}
}

// What the brokers of a cluster agree on is kept in the directory of the system account, which a file may name as it
// likes.
func TestABrokerOfAClusterComesBackWhateverItsSystemAccountIsCalled(t *testing.T) {
	g, file := NewWithT(t), filepath.Join(t.TempDir(), "nats.conf")
	g.Expect(os.WriteFile(file, []byte(`system_account: SYS
accounts { SYS { users: [ { user: sys, password: x } ] }, APP { jetstream: enabled, users: [ { user: app, password: x } ] } }
`), 0o600)).To(Succeed())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(l.Close()).To(Succeed())
	c := broker.Config{
		Name: "a", Port: -1, File: file, Dir: t.TempDir(), Cluster: l.Addr().String(),
		Join: []string{"127.0.0.1:1", "127.0.0.1:2"},
	}
	for range 2 {
		b, err := broker.Start(c)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(b.Close()).To(Succeed())
		g.Expect(os.MkdirAll(filepath.Join(c.Dir, "jetstream", "APP", "streams", "S"), 0o700)).To(Succeed())
	}
}

func TestABrokersConfigurationFileCounts(t *testing.T) {
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "nats.conf")
	g.Expect(os.WriteFile(file, []byte("authorization { user: a, password: b }\n"), 0o600)).To(Succeed())
	b, err := broker.Start(broker.Config{Port: -1, File: file})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(b.Close()).To(Succeed()) }()
	c, err := net.Dial("tcp", b.URL()[len("nats://"):])
	g.Expect(err).NotTo(HaveOccurred())
	defer c.Close()
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(buf[:n])).To(ContainSubstring(`"auth_required":true`))
}

// The server counts a stream that is just being made or removed among those that it could not recover. To start it
// again for that would leave the request unanswered.
func TestStreamsThatComeAndGoAreNoReasonToStartTheServerAgain(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	var said bytes.Buffer
	b, err := broker.Start(broker.Config{Port: -1, Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&said, nil))})
	g.Expect(err).NotTo(HaveOccurred())
	nc, err := nats.Connect(b.URL())
	g.Expect(err).NotTo(HaveOccurred())
	defer nc.Close()
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	for until := time.Now().Add(1600 * time.Millisecond); time.Now().Before(until); { // three looks at the server
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Storage: jetstream.FileStorage})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(js.DeleteStream(t.Context(), "S")).To(Succeed())
	}
	g.Expect(b.Close()).To(Succeed())
	g.Expect(said.String()).NotTo(ContainSubstring("started again"))
}
