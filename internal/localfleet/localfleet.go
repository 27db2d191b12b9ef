// Package localfleet runs a fleet's brokers and nodes as processes of this machine: the running program again, each
// time. It starts them anew when they end, and ends only what it has started.
package localfleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/pool"
)

// Config says what is started. The zero value of a number is one.
type Config struct {
	Fleet    string // default "respawn"
	Nodes    int    // negative: none
	Workers  int    // of each node
	Brokers  int    // 1, 3 or 5
	Owners   int    // that submit tasks all the time: see Fleet.Settled; none by default
	Port     int    // of the first broker; 0 or less: any that is free
	InMemory bool   // the queue
	Memory   int64  // bytes that each node may use with its workers: see Fleet.OOMKills; 0: as many as there are
	// bytes of a file system of its own on which each broker keeps its files: see Fleet.Fill; 0: that of all temporary
	// files
	Disk   int64
	Keep   bool                  // start again what ends
	Links  bool                  // connect all by links that can be cut: see Fleet.Cut
	Copies bool                  // keep what brokers had stored when they were started last: see Fleet.Lose
	Env    func(Member) []string // added to a process's environment, before its Generation counts it; nil: nothing
	Output io.Writer             // what they print; nil: nowhere
	Logger *slog.Logger          // what ends and is started again
}

// The roles of members.
const (
	Node   = "node"
	Broker = "broker"
	Owner  = "owner" // of Config.Owners; and this process where links are named
)

// Member is one process. Slots count from 1, nodes first, then brokers, then owners.
type Member struct {
	PID        int    `json:"pid"`
	Role       string `json:"role"` // Node, Broker or Owner
	Slot       int    `json:"slot"`
	Generation int    `json:"generation"` // from 1, one more each time that it is started
	Name       string `json:"name"`
}

// Fleet is what has been started.
type Fleet struct {
	cfg  Config
	dir  string
	urls []string
	log  *slog.Logger

	links links
	rooms rooms

	mu      sync.Mutex
	members []*member
	closing bool
}

// member is a place for a process.
type member struct {
	Member
	part  part
	disk  *disk         // of a broker, with Config.Disk
	room  *cgroup.Group // of a node, with Config.Memory
	cmd   *exec.Cmd
	held  io.Closer // the process ends when this does
	over  chan struct{}
	begun time.Time
	pause time.Duration
	lose  func() // what is done once it has ended, before it is started again
}

// part is what a process is told to be.
type part struct {
	Broker *broker.Config `json:",omitempty"`
	Node   *nodePart      `json:",omitempty"`
	Owner  *ownerPart     `json:",omitempty"`
	Disk   *diskPart      `json:",omitempty"`
}

type nodePart struct {
	Fleet, Servers, Name string
	Workers              int
}

var _ = reexec.Part.Serve(play)

// play is a broker, a node or an owner, until SIGTERM or until whoever has started it is gone; or makes a disk.
func play(arg string) {
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return // whoever has started it is gone
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	ctx, done := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer done()
	var p part
	err := json.Unmarshal([]byte(arg), &p)
	switch {
	case err != nil:
	case p.Broker != nil:
		var b *broker.Broker
		if b, err = broker.Start(*p.Broker); err == nil {
			<-ctx.Done()
			err = b.Close()
		}
	case p.Node != nil:
		err = fleet.Serve(ctx, fleet.Node{
			Fleet: p.Node.Fleet, Servers: p.Node.Servers, Name: p.Node.Name, Pool: pool.Config{Size: p.Node.Workers},
			Grace: 30 * time.Second,
		})
	case p.Owner != nil:
		err = p.Owner.run(ctx)
	case p.Disk != nil:
		err = p.Disk.give()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Start starts brokers, waits until they listen, and starts nodes. The program must call pool.Main first of all.
func Start(c Config) (*Fleet, error) {
	c.Fleet, c.Nodes, c.Workers, c.Brokers = cmp.Or(c.Fleet, "respawn"), cmp.Or(c.Nodes, 1), cmp.Or(c.Workers, 1),
		cmp.Or(c.Brokers, 1)
	c.Nodes = max(c.Nodes, 0)
	if c.Workers < 1 || c.Brokers != 1 && c.Brokers != 3 && c.Brokers != 5 {
		return nil,
			fmt.Errorf("%d nodes of %d workers and %d brokers: want at least one of each, and 1, 3 or 5 brokers",
				c.Nodes, c.Workers, c.Brokers)
	}
	dir, err := os.MkdirTemp("", "respawn-fleet-")
	if err != nil {
		return nil, err
	}
	f := &Fleet{cfg: c, dir: dir, log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler))}
	client, err := freePorts(c.Brokers)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if c.Port > 0 {
		client[0] = c.Port
	}
	routes, err := freePorts(c.Brokers)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if c.Links {
		if err := f.connect(client, routes); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(f.addBrokers(client, routes), f.addNodes()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.addOwners()
	for _, m := range f.members[:c.Brokers] {
		if err = f.run(m); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err = f.listening(); err != nil { // a node that finds none ends
		return nil, errors.Join(err, f.Close())
	}
	for _, m := range f.members[c.Brokers:] {
		if err = f.run(m); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// addBrokers gives the brokers their places, at these ports.
func (f *Fleet) addBrokers(client, routes []int) (err error) {
	for i, port := range client {
		f.urls = append(f.urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
		b := &broker.Config{Name: brokerName(i), Port: port, Dir: filepath.Join(f.dir, brokerName(i))}
		if len(client) > 1 {
			b.Cluster = fmt.Sprintf("127.0.0.1:%d", routes[i])
			for n, to := range routes {
				to := fmt.Sprintf("127.0.0.1:%d", to)
				if n != i {
					to = f.way("", brokerName(n), to)
				}
				b.Join = append(b.Join, to)
			}
		}
		if len(client) > 1 && f.cfg.Links {
			if b.File, err = f.gossip(b.Name); err != nil {
				return err
			}
		}
		m := &member{Member: Member{Role: Broker, Slot: f.cfg.Nodes + i + 1, Name: b.Name}, part: part{Broker: b}}
		f.members = append(f.members, m)
		if f.cfg.Disk > 0 {
			if m.disk, err = newDisk(f.cfg.Disk); err != nil {
				return err
			}
			b.Dir = diskInBroker
		}
	}
	return nil
}

// addNodes gives the nodes theirs.
func (f *Fleet) addNodes() (err error) {
	for i := range f.cfg.Nodes {
		n := &nodePart{f.cfg.Fleet, f.serversOf(nodeName(i)), nodeName(i), f.cfg.Workers}
		m := &member{Member: Member{Role: Node, Slot: i + 1, Name: n.Name}, part: part{Node: n}}
		f.members = append(f.members, m)
		if f.cfg.Memory > 0 {
			if m.room, err = f.rooms.add(n.Name, f.cfg.Memory); err != nil {
				return err
			}
		}
	}
	return nil
}

func brokerName(i int) string { return fmt.Sprintf("broker-%d", i+1) }
func nodeName(i int) string   { return fmt.Sprintf("node-%d", i+1) }
func ownerName(i int) string  { return fmt.Sprintf("owner-%d", i+1) }

// listening waits until every broker can be reached.
func (f *Fleet) listening() error {
	for _, m := range f.members[:f.cfg.Brokers] {
		for {
			err := greeted(fmt.Sprintf("127.0.0.1:%d", m.part.Broker.Port))
			if err == nil {
				break
			}
			select {
			case <-m.over:
				return fmt.Errorf("%s ended before it could be reached: %w", m.Name, err)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// greeted tells whether a broker speaks there, which a program that only looks whether the port is free does not:
// broker.Start does so first.
func greeted(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	word := make([]byte, len(greetingWord))
	if _, err := io.ReadFull(c, word); err != nil {
		return err
	}
	if string(word) != greetingWord {
		return fmt.Errorf("%q comes from there, and a broker begins with %q", word, greetingWord)
	}
	return nil
}

// greetingWord is the first that a broker sends (the NATS client protocol).
const greetingWord = "INFO "

// freePorts are ports of the loopback that nobody has just now: below those that the kernel gives to connections, as to
// the many of a fleet itself, so that nobody has them later either, when a broker is started again.
func freePorts(n int) (ports []int, err error) {
	const first, last = 15000, 32000
	for range 1000 {
		port := first + rand.IntN(last-first)
		l, listenErr := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if listenErr != nil {
			err = listenErr
			continue
		}
		defer l.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d: %w", n, first, last, err)
}

// Servers are the brokers' URLs, as fleet.Config.Servers has them.
func (f *Fleet) Servers() string { return strings.Join(f.urls, ",") }

// serversOf are the URLs by which a member, or Owner, reaches the brokers.
func (f *Fleet) serversOf(name string) string {
	var urls []string
	for i, url := range f.urls {
		urls = append(urls, "nats://"+f.way(name, brokerName(i), strings.TrimPrefix(url, "nats://")))
	}
	return strings.Join(urls, ",")
}

// Config is an owner's, for this fleet.
func (f *Fleet) Config() fleet.Config {
	return fleet.Config{
		Fleet: f.cfg.Fleet, Servers: f.serversOf(Owner), Replicas: f.cfg.Brokers, InMemory: f.cfg.InMemory,
	}
}

// Members are the processes that are there, nodes first.
func (f *Fleet) Members() (list []Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for slot := range len(f.members) {
		for _, m := range f.members {
			if m.Slot == slot+1 && m.cmd != nil {
				list = append(list, m.Member)
			}
		}
	}
	return list
}

// run starts a process in its place. f.mu is held, or nobody else has f yet.
func (f *Fleet) run(m *member) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	arg, err := json.Marshal(m.part)
	if err != nil {
		return err
	}
	marker, err := reexec.Part.Marker(string(arg))
	if err != nil {
		return err
	}
	if m.part.Broker != nil && f.cfg.Copies {
		if err := copyOf(m.dir(), f.copyFor(m)); err != nil {
			return err
		}
	}
	cmd := exec.Command(self)
	// for ps: it is in the environment that it is told what to be
	cmd.Args = []string{filepath.Base(self), m.Role, m.Name}
	cmd.Env = append(os.Environ(), marker)
	if f.cfg.Env != nil {
		cmd.Env = append(cmd.Env, f.cfg.Env(m.Member)...)
	}
	cmd.Stdout, cmd.Stderr = f.cfg.Output, f.cfg.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process
	if m.disk != nil {
		cmd.ExtraFiles = []*os.File{m.disk.root}
	}
	held, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := f.rooms.take(m.room, cmd.Process.Pid); err != nil {
		f.log.Error("it cannot be limited, and is ended", "name", m.Name, "error", err)
		_ = held.Close()
	} else {
		// it waits for that: what it starts is to be in its cgroup, too. If it has ended that is seen
		_, _ = held.Write([]byte{0})
	}
	m.Generation++
	m.PID, m.cmd, m.held, m.over, m.begun = cmd.Process.Pid, cmd, held, make(chan struct{}), time.Now()
	go f.watch(m, cmd, m.over)
	return nil
}

// watch waits for a process to end, and starts it again, sooner the longer it lasted.
func (f *Fleet) watch(m *member, cmd *exec.Cmd, over chan struct{}) {
	err := cmd.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(over)
	m.cmd = nil
	f.rooms.leave(m.room, cmd.Process.Pid)
	if m.lose != nil {
		m.lose()
		m.lose = nil
	}
	if f.closing || !f.cfg.Keep {
		return
	}
	if m.pause = min(max(2*m.pause, 100*time.Millisecond), 5*time.Second); time.Since(m.begun) > 10*time.Second {
		m.pause = 100 * time.Millisecond
	}
	f.log.Info("it ended and is started again", "name", m.Name, "pid", cmd.Process.Pid, "error", err)
	time.AfterFunc(m.pause, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.closing && m.cmd == nil {
			if err := f.run(m); err != nil {
				f.log.Error("it cannot be started again", "name", m.Name, "error", err)
			}
		}
	})
}

// ErrNoMember is returned for a name that no running process of the fleet has.
var ErrNoMember = errors.New("no running process of this fleet has that name")

func (f *Fleet) find(name string) (*member, error) {
	for _, m := range f.members {
		if m.Name == name && m.cmd != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoMember, name)
}

// Name is that of the member in a slot, whether it runs or not; "" if there is no such slot.
func (f *Fleet) Name(slot int) string {
	for _, m := range f.members {
		if m.Slot == slot {
			return m.Name
		}
	}
	return ""
}

// Signal sends a signal to the process of that name: "node-1", "broker-3".
func (f *Fleet) Signal(name string, sig syscall.Signal) (Member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.find(name)
	if err != nil {
		return Member{}, err
	}
	return m.Member, m.cmd.Process.Signal(sig)
}

// Kill ends the process of that name by SIGKILL and waits until it is gone.
func (f *Fleet) Kill(name string) (Member, error) {
	f.mu.Lock()
	m, err := f.find(name)
	if err != nil {
		f.mu.Unlock()
		return Member{}, err
	}
	was, over := m.Member, m.over
	err = m.cmd.Process.Kill()
	f.mu.Unlock()
	if err == nil {
		<-over
	}
	return was, err
}

// Start starts the process of that name again, if it has ended.
func (f *Fleet) Start(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.Name == name && m.cmd == nil {
			return f.run(m)
		}
	}
	return fmt.Errorf("%q runs already, or is no name of this fleet", name)
}

// Forget removes what a broker has stored. It must have ended.
func (f *Fleet) Forget(name string) error { return f.stored(name, os.RemoveAll) }

// Save copies what a broker has stored to a directory that is not there yet. It must have ended.
func (f *Fleet) Save(name, to string) error {
	return f.stored(name, func(dir string) error { return os.CopyFS(to, os.DirFS(dir)) })
}

// Restore puts what a broker has stored back to what Save has copied. It must have ended.
func (f *Fleet) Restore(name, from string) error {
	return f.stored(name, func(dir string) error {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		return os.CopyFS(dir, os.DirFS(from))
	})
}

// Loss is what a broker lost.
type Loss struct{ Before, After int } // files that it had stored

// Lose ends that process of a broker by SIGKILL and takes from it what it has stored, or gives it what it had when it
// was last started, if Config.Copies keeps that, before it is started again.
func (f *Fleet) Lose(name string, pid int, older bool) (loss Loss, err error) {
	f.mu.Lock()
	m, err := f.find(name)
	if err == nil && (m.PID != pid || m.part.Broker == nil) {
		err = fmt.Errorf("%w, or it is no broker: %q with pid %d", ErrNoMember, name, pid)
	}
	if err == nil && older && !f.cfg.Copies {
		err = errors.New("what brokers had stored is not kept: Config.Copies")
	}
	if err != nil {
		f.mu.Unlock()
		return loss, err
	}
	var failed error
	m.lose = func() {
		dir := m.dir()
		loss.Before = files(dir)
		failed = os.RemoveAll(dir)
		if older && failed == nil {
			failed = copyOf(f.copyFor(m), dir)
		}
		loss.After = files(dir)
	}
	over := m.over
	err = m.cmd.Process.Kill()
	f.mu.Unlock()
	if err == nil {
		<-over
	}
	return loss, errors.Join(err, failed)
}

// dir is where a broker keeps what it stores, as this process reaches it.
func (m *member) dir() string {
	if m.disk != nil {
		return m.disk.store()
	}
	return m.part.Broker.Dir
}

// copyFor is where that is copied when it starts.
func (f *Fleet) copyFor(m *member) string { return filepath.Join(f.dir, m.Name+".start") }

// copyOf puts a copy of a directory in the place of another; nothing if there is none.
func copyOf(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return os.CopyFS(to, os.DirFS(from))
}

// files counts those below a directory.
func files(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}

// stored does something with the directory of a broker that has ended.
func (f *Fleet) stored(name string, do func(dir string) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.Name == name && m.part.Broker != nil && m.cmd == nil {
			return do(m.dir())
		}
	}
	return fmt.Errorf("%q runs still, or is no broker of this fleet", name)
}

// Close tells nodes to drain, waits for them as long as they take, 40 s at most, then ends the brokers, and removes
// what they have stored. Stopped processes are ended at once.
func (f *Fleet) Close() error {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.end(Owner, 10*time.Second)
	f.end(Node, 40*time.Second)
	f.end(Broker, 10*time.Second)
	return f.clean()
}

// clean removes what processes that have ended have left.
func (f *Fleet) clean() error {
	f.links.close()
	for _, m := range f.members {
		if m.disk != nil {
			m.disk.close()
		}
	}
	return errors.Join(f.rooms.close(), os.RemoveAll(f.dir))
}

// Terminate ends all processes by SIGKILL, and removes what they have stored.
func (f *Fleet) Terminate() error {
	f.mu.Lock()
	f.closing = true
	var overs []chan struct{}
	for _, m := range f.members {
		if m.cmd != nil {
			overs = append(overs, m.over)
			_ = m.cmd.Process.Kill()
		}
	}
	f.mu.Unlock()
	for _, over := range overs {
		<-over
	}
	return f.clean()
}

// end ends all processes of one role.
func (f *Fleet) end(role string, patience time.Duration) {
	f.mu.Lock()
	var wait []*member
	var overs []chan struct{}
	for _, m := range f.members {
		if m.Role == role && m.cmd != nil {
			wait, overs = append(wait, m), append(overs, m.over)
			_ = m.cmd.Process.Signal(syscall.SIGTERM)
			_ = m.held.Close()
			_ = m.cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	f.mu.Unlock()
	late, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	for i, m := range wait {
		select {
		case <-overs[i]:
		case <-late.Done():
			f.mu.Lock()
			if m.cmd != nil {
				_ = m.cmd.Process.Kill()
			}
			f.mu.Unlock()
			<-overs[i]
		}
	}
}
