package fleet_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// network is hosts that have a network namespace and an address each, with a cable to one switch.
type network struct {
	t      *testing.T
	prefix string
	hosts  map[string]string // their addresses
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, prefix: fmt.Sprintf("respawn-%d-", os.Getpid()), hosts: map[string]string{}}
	if out, err := exec.Command("ip", "netns", "add", n.prefix+"hub").CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here (it takes root and iproute2): %v %s", err, out)
	}
	t.Cleanup(func() {
		for host := range n.hosts {
			n.ip("netns", "del", n.prefix+host)
		}
		n.ip("netns", "del", n.prefix+"hub") // and with them their cables
		left, err := exec.Command("ip", "netns", "list").CombinedOutput()
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect(string(left)).NotTo(ContainSubstring(n.prefix))
	})
	if out, err := exec.Command("ip", "-n", n.prefix+"hub", "link", "add", "switch", "up", "type",
		"bridge").CombinedOutput(); err != nil {
		t.Skipf("no bridge can be made here: %v %s", err, out)
	}
	return n
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	NewWithT(n.t).Expect(err).NotTo(HaveOccurred(), "ip %s: %s", strings.Join(args, " "), out)
}

// add makes a host and gives its address.
func (n *network) add(host string) string {
	n.t.Helper()
	n.ip("netns", "add", n.prefix+host)
	address := fmt.Sprintf("10.77.0.%d", len(n.hosts)+1)
	n.hosts[host] = address
	n.ip("-n", n.prefix+host, "link", "add", "cable", "type", "veth", "peer", "name", host, "netns", n.prefix+"hub")
	n.ip("-n", n.prefix+"hub", "link", "set", host, "master", "switch", "up")
	n.ip("-n", n.prefix+host, "address", "add", address+"/24", "dev", "cable")
	n.ip("-n", n.prefix+host, "link", "set", "cable", "up")
	n.ip("-n", n.prefix+host, "link", "set", "lo", "up")
	return address
}

// cut pulls a host's cable; heal plugs it in again.
func (n *network) cut(host string)  { n.ip("-n", n.prefix+"hub", "link", "set", host, "down") }
func (n *network) heal(host string) { n.ip("-n", n.prefix+"hub", "link", "set", host, "up") }

// start runs this program on a host, until the test ends.
func (n *network) start(host, env string, settings any) {
	n.t.Helper()
	g := NewWithT(n.t)
	arg, err := json.Marshal(settings)
	g.Expect(err).NotTo(HaveOccurred())
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	cmd := exec.Command("ip", "netns", "exec", n.prefix+host, self) // which it becomes
	cmd.Env = append(os.Environ(), env+"="+string(arg))
	cmd.Stderr = os.Stderr
	g.Expect(cmd.Start()).To(Succeed())
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
}

// Dial implements nats.CustomDialer: connections of the host "owner", in this process.
func (n *network) Dial(kind, address string) (net.Conn, error) {
	type dialled struct {
		c   net.Conn
		err error
	}
	done := make(chan dialled)
	go func() {
		runtime.LockOSThread() // for good: the thread is in that namespace, and ends with this goroutine
		fd, err := unix.Open("/run/netns/"+n.prefix+"owner", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		var c net.Conn
		if err == nil {
			c, err = net.DialTimeout(kind, address, time.Second)
		}
		done <- dialled{c, err}
	}()
	d := <-done
	return d.c, d.err
}

// apart is a fleet whose owner, nodes and brokers are hosts of a network.
func apart(t *testing.T, brokers int) (*network, *fleet.Fleet, fleet.Config) {
	t.Helper()
	n := newNetwork(t)
	n.add("owner")
	var urls, join []string
	for i := range brokers {
		address := n.add(fmt.Sprintf("broker-%d", i+1))
		urls, join = append(urls, "nats://"+address+":4222"), append(join, address+":6222")
	}
	dir := t.TempDir()
	for i := range brokers {
		name := fmt.Sprintf("broker-%d", i+1)
		b := broker.Config{Host: n.hosts[name], Port: 4222, Dir: filepath.Join(dir, name), Name: name}
		if brokers > 1 {
			b.Join = join
		}
		n.start(name, envBroker, b)
	}
	c := fleet.Config{
		Fleet: "test", Servers: strings.Join(urls, ","), InMemory: true, Replicas: brokers,
		Options: []nats.Option{nats.SetCustomDialer(n), nats.DontRandomize()},
	}
	g := NewWithT(t)
	var f *fleet.Fleet
	g.Eventually(func() (err error) {
		f, err = fleet.Dial(bound(t), c)
		return err
	}).WithTimeout(patience).Should(Succeed())
	t.Cleanup(func() { _ = f.Close() })
	for _, name := range []string{"node-1", "node-2"} {
		n.add(name)
		n.start(name, envNode, settings{Fleet: "test", Servers: c.Servers, Name: name, Size: 1})
	}
	g.Eventually(f.Nodes).WithTimeout(patience).Should(HaveLen(2))
	return n, f, c
}

// states are the nodes' as the owner sees them, by name.
func states(f *fleet.Fleet) map[string]string {
	all := map[string]string{}
	for _, n := range f.Nodes() {
		all[n.Name] = n.State
	}
	return all
}

// TestHostsThatAreCutOffForAMoment pulls the owner's cable, and then a node's, for less than anybody takes for an end.
func TestHostsThatAreCutOffForAMoment(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	n, f, _ := apart(t, 1)
	path := filepath.Join(t.TempDir(), "ran")
	var waits []*pool.Future[int]
	executions := func() int {
		ran, _ := os.ReadFile(path)
		return strings.Count(string(ran), "\n")
	}
	for i := range 4 {
		waits = append(waits, run.Submit(bound(t), f, work{N: i, Path: path, Length: 500 * time.Millisecond}))
	}
	g.Eventually(executions).WithTimeout(patience).Should(Equal(2), "both work")
	for _, host := range []string{"owner", "node-1"} {
		n.cut(host)
		<-time.After(300 * time.Millisecond) // the cut's length
		n.heal(host)
	}
	for _, w := range waits {
		_, err := w.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(executions()).To(Equal(4), "each once")
	g.Expect(states(f)).To(Equal(map[string]string{"node-1": "alive", "node-2": "alive"}))
}

// TestAHostThatIsCutOffIsGivenUpAndTakenBack pulls the cable of the node that has a task.
func TestAHostThatIsCutOffIsGivenUpAndTakenBack(t *testing.T) {
	takes.Long(t) // a node's timeout
	g := NewWithT(t)
	n, f, _ := apart(t, 1)
	path := filepath.Join(t.TempDir(), "ran")
	w := run.Submit(bound(t), f, work{Path: path, Length: 25 * time.Second})
	var victim string
	g.Eventually(func() string {
		for _, n := range f.Nodes() {
			if n.Held == 1 {
				victim = n.Name
			}
		}
		return victim
	}).WithTimeout(patience).ShouldNot(BeEmpty())
	n.cut(victim)
	began := time.Now()
	executions := func() int {
		ran, _ := os.ReadFile(path)
		return strings.Count(string(ran), "\n")
	}
	g.Eventually(executions).WithTimeout(patience).Should(Equal(2), "it runs elsewhere, too")
	t.Logf("it runs elsewhere %v after the cut", time.Since(began).Round(10*time.Millisecond))
	g.Expect(time.Since(began)).To(BeNumerically("<", 14*time.Second),
		"the node's timeout, and what a busy machine adds")
	g.Expect(states(f)[victim]).To(BeElementOf("gone", "suspect"))
	n.heal(victim)
	_, err := w.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() string { return states(f)[victim] }).WithTimeout(patience).Should(Equal("alive"),
		"it is taken back")
	g.Expect(executions()).To(Equal(2))
	g.Expect(w.Outcome().Exits).To(BeEmpty(), "nobody is blamed for a cut")
}

// TestTheOwnersBrokerIsCutOff pulls the cable of the broker that the owner is connected to, of three.
func TestTheOwnersBrokerIsCutOff(t *testing.T) {
	takes.Long(t) // an election
	g := NewWithT(t)
	n, f, c := apart(t, 3)
	path := filepath.Join(t.TempDir(), "ran")
	submit := func(first, count int) (waits []*pool.Future[int]) {
		for i := range count {
			waits = append(waits,
				run.Submit(bound(t), f, work{N: first + i, Path: path, Length: 100 * time.Millisecond}))
		}
		return waits
	}
	waits := submit(0, 40)
	n.cut("broker-1") // to which DontRandomize leads everybody
	began := time.Now()
	waits = append(waits, submit(40, 40)...)
	for _, w := range waits {
		_, err := w.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
	}
	t.Logf("all outcomes were there %v after the cut", time.Since(began).Round(10*time.Millisecond))
	n.heal("broker-1")
	g.Eventually(func(g Gomega) {
		s, err := fleet.ReadStatus(bound(t), c)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Behind).To(BeEmpty())
		g.Expect(s.Leader).NotTo(BeEmpty())
	}).WithTimeout(patience).Should(Succeed(), "it catches up")
	g.Expect(square.Call(bound(t), f, 9)).To(Equal(81))
}
