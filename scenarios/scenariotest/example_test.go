package scenariotest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
	"github.com/respawn-go/respawn/scenarios/targets"
)

// Shout is a task of this program: what its users run. It takes as long as a victim must be busy to be caught at it.
var Shout = pool.Register("shout", func(ctx context.Context, s string) (string, error) {
	select {
	case <-time.After(20 * time.Millisecond):
		return s + "!", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
})

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

// The files in testdata, against the pool that they name and its built-in tasks.
func TestResilience(t *testing.T) {
	scenariotest.Run(t, "testdata/*.yaml")
}

// The same files against a pool of this program's own, loaded with a task of its own. Nobody else can run that again.
func TestResilienceOfOurOwnPoolAndTask(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	out := t.TempDir()
	scenariotest.Run(t, "testdata/*.yaml", scenariotest.Out(out), scenariotest.Against(func(ctx context.Context, size int) (chaos.Target, error) {
		cfg := pool.Config{Size: size}
		p, err := pool.New(ctx, cfg)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = p.Close() })
		return shouting{targets.Adapt(p, cfg, t.TempDir())}, nil
	}))
	if _, err := scenarios.ReadReplay(filepath.Join(out, "kill-one", "history.jsonl"), scenarios.Options{}); err == nil ||
		!strings.HasSuffix(err.Error(), "only that test can run it again") {
		t.Fatal(err)
	}
}

// shouting is the pool, with Shout in place of the built-in tasks.
type shouting struct{ *targets.Pool }

// Do implements chaos.Runner.
func (s shouting) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	in := fmt.Sprint(task.ID)
	out, err := Shout.Call(ctx, s.Pool.Pool, in)
	switch {
	case err != nil:
		return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
	case out != in+"!":
		return chaos.Settled{Outcome: history.Wrong, Err: out}
	}
	return chaos.Settled{Outcome: history.OK}
}
