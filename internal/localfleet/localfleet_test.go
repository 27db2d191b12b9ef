package localfleet

import (
	"net"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet/broker"
)

// A broker that is starting looks whether its port is free, by listening there for a moment: who reaches that has
// reached no broker.
func TestWhoOnlyListensIsNoBroker(t *testing.T) {
	g := NewWithT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer l.Close()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_ = c.Close()
		}
	}()
	g.Expect(greeted(l.Addr().String())).NotTo(Succeed())
	b, err := broker.Start(broker.Config{Port: -1})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(b.Close()).To(Succeed()) }()
	g.Expect(greeted(strings.TrimPrefix(b.URL(), "nats://"))).To(Succeed())
}
