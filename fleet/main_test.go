package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// envNode makes this program a node, for a test to kill: its value is a node's settings as JSON.
const envNode = "FLEET_TEST_NODE"

// envBroker makes it a broker in the same way.
const envBroker = "FLEET_TEST_BROKER"

const patience = time.Minute

var (
	square = pool.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	echo   = pool.Register("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	fail   = pool.Register("fail", func(_ context.Context, how string) (int, error) {
		if how == "panic" {
			panic("oh no")
		}
		return 0, fmt.Errorf("wrapped: %w", errOwn)
	})
	die = pool.Register("die", func(context.Context, int) (int, error) { os.Exit(3); return 0, nil })
	nap = pool.Register("nap", func(ctx context.Context, d time.Duration) (int, error) {
		select {
		case <-time.After(d):
			return os.Getppid(), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	// run appends a line to a file as it begins: its own record of executions. It tells its node's pid.
	run = pool.Register("run", func(ctx context.Context, in work) (int, error) {
		f, err := os.OpenFile(in.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		_, err = fmt.Fprintf(f, "%d %d\n", in.N, os.Getppid())
		if err = errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
		if in.KillHost {
			_ = syscall.Kill(os.Getppid(), syscall.SIGKILL)
		}
		select {
		case <-time.After(in.Length):
		case <-ctx.Done():
		}
		return os.Getppid(), ctx.Err()
	})
	pySquare = pool.External[int, int]("square") // in ../pool/testdata/worker.py
	pyEcho   = pool.External[[]byte, []byte]("echo")
	errOwn   = pool.RegisterSentinel("fleet.test.errOwn", errors.New("our own sentinel"))
)

type work struct {
	N        int
	Path     string
	Length   time.Duration
	KillHost bool
}

// settings of a node in a process of its own.
type settings struct {
	Fleet, Servers, Name string
	Size                 int
}

func TestMain(m *testing.M) {
	pool.Main()
	if arg := os.Getenv(envNode); arg != "" {
		var s settings
		if err := json.Unmarshal([]byte(arg), &s); err != nil {
			panic(err)
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err := fleet.Serve(ctx,
			fleet.Node{Fleet: s.Fleet, Servers: s.Servers, Name: s.Name, Pool: pool.Config{Size: s.Size}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if arg := os.Getenv(envBroker); arg != "" {
		var c broker.Config
		if err := json.Unmarshal([]byte(arg), &c); err != nil {
			panic(err)
		}
		if _, err := broker.Start(c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {} // until it is killed
	}
	takes.SideBySide(6)
	os.Exit(m.Run())
}

func bound(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial connects to a fleet, which is closed with the test.
func dial(t *testing.T, c fleet.Config) *fleet.Fleet {
	t.Helper()
	f, err := fleet.Dial(bound(t), c)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = f.Close() })
	return f
}
