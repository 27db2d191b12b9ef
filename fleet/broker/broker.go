// Package broker runs a NATS server with JetStream inside a program: a fleet with nothing to install.
package broker

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says how a broker is started. The zero value is one in memory that only this program can reach.
type Config struct {
	Host      string // the address to listen on; default 127.0.0.1
	Port      int    // default 0: none, and only [Broker.Options] connect; -1: any that is free
	Dir       string // where tasks are kept; default: a new directory that Close removes
	MaxMemory int64  // bytes of tasks kept in memory, at most; default 256 MiB
	MaxStore  int64  // bytes of tasks kept in files, at most; default 1 GiB
}

// Broker is a running server. It takes no signal of the program's, and does not end it.
type Broker struct {
	s      *server.Server
	dir    string
	remove bool
}

// Start starts a broker and waits until it answers. Errors: a port that is taken, a directory that cannot be used.
func Start(c Config) (*Broker, error) {
	b := &Broker{dir: c.Dir}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "respawn-broker-")
		if err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		b.dir, b.remove = dir, true
	}
	s, err := server.NewServer(&server.Options{
		ServerName: fmt.Sprintf("respawn-%d-%d", os.Getpid(), time.Now().UnixNano()), Host: cmp.Or(c.Host, "127.0.0.1"), Port: c.Port,
		DontListen: c.Port == 0, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.dir,
		JetStreamMaxMemory: cmp.Or(c.MaxMemory, 256<<20), JetStreamMaxStore: cmp.Or(c.MaxStore, 1<<30),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("broker: %w", err), b.clean())
	}
	b.s = s
	s.Start()
	if !s.ReadyForConnections(10*time.Second) || !s.JetStreamEnabled() {
		return nil, errors.Join(fmt.Errorf("broker: the server does not come up: is port %d taken, or %s not writable?", c.Port, b.dir), b.Close())
	}
	return b, nil
}

// Options connect to the broker within this program: for fleet.Config.Options and fleet.Node.Options.
func (b *Broker) Options() []nats.Option { return []nats.Option{nats.InProcessServer(b.s)} }

// URL is where others reach the broker; "" if it does not listen.
func (b *Broker) URL() string {
	if a := b.s.Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
}

// Close ends the broker. What it keeps in a directory of its own is gone with it. Closing twice is fine.
func (b *Broker) Close() error {
	b.s.Shutdown()
	b.s.WaitForShutdown()
	return b.clean()
}

func (b *Broker) clean() error {
	if !b.remove {
		return nil
	}
	return os.RemoveAll(b.dir)
}
