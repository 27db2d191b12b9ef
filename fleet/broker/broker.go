// Package broker runs a NATS server with JetStream inside a program: a fleet with nothing to install. Three of them in
// three programs, each with the addresses of all in Join, are a cluster that keeps its queue when one of them is lost.
package broker

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says how a broker is started. The zero value is one in memory that only this program can reach.
type Config struct {
	Host string // the address to listen on; default 127.0.0.1
	Port int    // default 0: none, and only [Broker.Options] connect; -1: any that is free
	// the port of nats-server's monitoring over HTTP, on Host, for whoever can reach it; default 0: none; -1: any that
	// is free
	Monitor   int
	Dir       string // where tasks are kept; default: a new directory that Close removes
	MaxMemory int64  // bytes of tasks kept in memory, at most; default 256 MiB
	MaxStore  int64  // bytes of tasks kept in files, at most; default 1 GiB
	// File is a configuration file of nats-server's, for TLS, accounts and users, credentials, limits. What the other
	// fields set counts for more.
	File string

	// Name is this broker's among those of its cluster, the same after a restart; default: the host's name and Port. 1
	// to 64 letters, digits, - and _.
	Name string
	// Join are the cluster addresses, host:port, of all brokers of a cluster (3 or 5), or of all others (2 or 4), in
	// any order. Acknowledged means synced there (sync_always). nil: this broker stands alone.
	Join []string
	// Cluster is the address, host:port, where this one of them listens to the others; default: Host and port 6222.
	Cluster string
	// Logger gets the server's warnings and errors; default: none.
	Logger *slog.Logger
}

// Broker is a running server. It takes no signal of the program's, and does not end it. While its disk is full it
// stores nothing, and passes messages on; once there is room its server is started again, and who was connected
// connects again.
type Broker struct {
	config Config
	dir    string
	remove bool
	log    *slog.Logger

	over    chan struct{} // closed by Close
	once    sync.Once
	watched chan struct{} // closed once nobody starts the server again

	mu sync.Mutex
	s  *server.Server // nil before the first
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate reports every problem of the config, joined. Start calls it.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("broker: "+format, args...)) }
	if c.Name != "" && !nameRule.MatchString(c.Name) {
		bad("Config.Name is %q: want 1 to 64 letters, digits, - and _", c.Name)
	}
	if c.Port < -1 || c.Port > 65535 {
		bad("Config.Port is %d: want 1 to 65535, -1 for any that is free, or 0 for none", c.Port)
	}
	if c.Monitor < -1 || c.Monitor > 65535 {
		bad("Config.Monitor is %d: want 1 to 65535, -1 for any that is free, or 0 for none", c.Monitor)
	}
	if c.MaxMemory < 0 || c.MaxStore < 0 {
		bad("Config.MaxMemory and MaxStore: want positive numbers of bytes, or 0 for the defaults")
	}
	switch n := len(c.Join); {
	case n == 0 && c.Cluster != "":
		bad("Config.Cluster is %s, and Join is empty: name the brokers of the cluster", c.Cluster)
	case n == 1:
		bad("Config.Join is one address: want those of all brokers of the cluster, 3 or 5, so that a majority is " +
			"left when one is lost")
	case n > 5:
		bad("Config.Join has %d addresses: want those of 3 or 5 brokers", n)
	case n == 3 || n == 5:
		if _, port, err := net.SplitHostPort(c.cluster()); err == nil &&
			!slices.ContainsFunc(c.Join, func(a string) bool { return hasPort(a, port) }) {
			bad("Config.Join has %d addresses, and none has the port of Config.Cluster, %s: name this broker "+
				"there, too", n, c.cluster())
		}
	}
	for _, a := range append(slices.Clone(c.Join), c.cluster()) {
		if _, port, err := net.SplitHostPort(a); err != nil {
			bad("%q is no address of a broker: want host:port, where it listens to the others of its cluster (6222 "+
				"by default)", a)
		} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			bad("%q has no port of 1 to 65535", a)
		}
	}
	return errors.Join(errs...)
}

func hasPort(address, port string) bool {
	_, p, err := net.SplitHostPort(address)
	return err == nil && p == port
}

func (c Config) cluster() string { return cmp.Or(c.Cluster, net.JoinHostPort(c.host(), "6222")) }
func (c Config) host() string    { return cmp.Or(c.Host, "127.0.0.1") }

// options are the server's.
func (c Config) options(dir string) (*server.Options, error) {
	o := &server.Options{}
	if c.File != "" {
		var err error
		if o, err = server.ProcessConfigFile(c.File); err != nil {
			return nil, fmt.Errorf("the configuration %s: %w", c.File, err)
		}
	}
	o.Host, o.Port, o.DontListen = cmp.Or(c.Host, o.Host, "127.0.0.1"), cmp.Or(c.Port, o.Port),
		cmp.Or(c.Port, o.Port) == 0
	if o.HTTPPort = cmp.Or(c.Monitor, o.HTTPPort); o.HTTPPort != 0 {
		o.HTTPHost = cmp.Or(c.Host, o.HTTPHost, o.Host)
	}
	o.NoSigs, o.NoLog, o.JetStream, o.StoreDir = true, true, true, dir
	o.JetStreamMaxMemory = cmp.Or(c.MaxMemory, max(o.JetStreamMaxMemory, 0), 256<<20)
	o.JetStreamMaxStore = cmp.Or(c.MaxStore, max(o.JetStreamMaxStore, 0), 1<<30)
	o.ServerName = cmp.Or(c.Name, o.ServerName, fmt.Sprintf("respawn-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if len(c.Join) == 0 {
		return o, nil
	}
	if o.DontListen { // the server's routes would wait for that for ever
		return nil, errors.New(
			"Config.Port is 0, and one of a cluster listens: want a port, such as 4222, or -1 for any that is free")
	}
	host, _ := os.Hostname()
	o.ServerName = cmp.Or(c.Name,
		fmt.Sprintf("%s-%d", regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(host, "-"), o.Port))
	listen, port, _ := net.SplitHostPort(c.cluster())
	o.Cluster.Name = cmp.Or(o.Cluster.Name, "respawn")
	o.Cluster.Host = listen
	o.Cluster.Port, _ = strconv.Atoi(port)
	o.Cluster.PingInterval = 5 * time.Second
	all := c.Join
	if len(all)%2 == 0 {
		all = append(slices.Clone(all), c.cluster())
	}
	for _, a := range all { // the server expects as many brokers as it has routes
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: a, User: routeUser(o)})
	}
	o.SyncAlways = true
	return o, nil
}

func routeUser(o *server.Options) *url.Userinfo {
	if o.Cluster.Username == "" {
		return nil
	}
	return url.UserPassword(o.Cluster.Username, o.Cluster.Password)
}

// Start starts a broker and waits until it answers; one of a cluster may still wait for the others then. Errors: what
// Config.Validate finds, a port that is taken, a directory or a file that cannot be used, and for Join a directory of a
// broker that stood alone.
func Start(c Config) (*Broker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := &Broker{
		config: c, dir: c.Dir, log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler)), over: make(chan struct{}),
		watched: make(chan struct{}),
	}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "respawn-broker-")
		if err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		b.dir, b.remove = dir, true
	} else if err := usable(c.Dir); err != nil {
		return nil, fmt.Errorf("broker: Config.Dir cannot be used: %w", err)
	} else if len(c.Join) > 0 && storedAlone(c.Dir) {
		return nil, fmt.Errorf("broker: Config.Dir %s has what a broker that stood alone has stored, which a cluster "+
			"cannot take along: let its tasks settle first, and give each of the cluster an empty directory", c.Dir)
	}
	if err := b.start(); err != nil {
		close(b.watched)
		return nil, errors.Join(fmt.Errorf("broker: %w", err), b.Close())
	}
	go b.watch()
	return b, nil
}

// start starts a server, with the ports that the one before had.
func (b *Broker) start() error {
	o, err := b.config.options(b.dir)
	if err == nil && o.Port > 0 {
		err = free(o.Host, o.Port)
	}
	if err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	said := &serverLog{log: b.log}
	s.SetLoggerV2(said, false, false, false)
	s.Start()
	b.mu.Lock()
	b.s = s
	b.mu.Unlock()
	if !s.ReadyForConnections(10*time.Second) || !s.JetStreamEnabled() {
		return fmt.Errorf("the server does not come up: %s", cmp.Or(said.last(), "it does not say why"))
	}
	if a, ok := s.Addr().(*net.TCPAddr); ok {
		b.config.Port = a.Port
	}
	if a := s.MonitorAddr(); a != nil {
		b.config.Monitor = a.Port
	}
	return nil
}

// running is the server that was started last.
func (b *Broker) running() *server.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.s
}

// InProcessConn connects to the broker within this program: see Options.
func (b *Broker) InProcessConn() (net.Conn, error) { return b.running().InProcessConn() }

// free tells why nobody can listen there.
func free(host string, port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("port %d cannot be had: end who has it, or take another: %w", port, err)
	}
	return l.Close()
}

// usable tells why nothing can be kept in a directory.
func usable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Clean(dir), ".try-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// storedAlone tells whether a directory has streams of a server that was in no cluster, by nats-server's layout: one of
// a cluster keeps what all agree on beside its streams. It would serve its own stream as if it were the cluster's, with
// a consumer that the cluster does not know.
func storedAlone(dir string) bool {
	streams, _ := fs.Glob(os.DirFS(dir), "jetstream/*/streams/*")
	agreed, _ := fs.Glob(os.DirFS(dir), "jetstream/*/_js_/_meta_") // of the system account, whatever its name
	return len(streams) > 0 && len(agreed) == 0
}

// Options connect to the broker within this program: for fleet.Config.Options and fleet.Node.Options.
func (b *Broker) Options() []nats.Option { return []nats.Option{nats.InProcessServer(b)} }

// URL is where others reach the broker; "" if it does not listen.
func (b *Broker) URL() string {
	if a := b.running().Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
}

// MonitorURL is where its monitoring answers; "" if it has none.
func (b *Broker) MonitorURL() string {
	if a := b.running().MonitorAddr(); a != nil {
		return "http://" + a.String()
	}
	return ""
}

// Close ends the broker. What it keeps in a directory of its own is gone with it. Closing twice is fine.
func (b *Broker) Close() error {
	b.once.Do(func() { close(b.over) })
	<-b.watched
	if s := b.running(); s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
	return b.clean()
}

func (b *Broker) clean() error {
	if !b.remove {
		return nil
	}
	return os.RemoveAll(b.dir)
}
