package scenariotest_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
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

// The same files against a pool of this program's own, loaded with a task of its own.
func TestResilienceOfOurOwnPoolAndTask(t *testing.T) {
	takes.Seconds(t)
	scenariotest.Run(t, "testdata/*.yaml", scenariotest.Pool(pool.Config{}, Shout, input, check))
}

func input(n uint64) string { return fmt.Sprint("task ", n) }

func check(in, out string) error {
	if out != in+"!" {
		return fmt.Errorf("%q was answered with %q", in, out)
	}
	return nil
}

// A file's own task may be slower than the one that takes its place.
func TestATaskOfOnesOwnMayBeQuickerThanTheFilesSleep(t *testing.T) {
	takes.Seconds(t)
	scenariotest.Run(t, "testdata/*.yaml", scenariotest.Set("load.args.duration=200ms"),
		scenariotest.Pool(pool.Config{}, Shout, input, check))
}

// All scenarios of a directory are one test, each of them a subtest with a report of its own.
func ExampleRun() {
	_ = func(t *testing.T) {
		scenariotest.Run(t, "testdata/*.yaml", scenariotest.Set("target.pool.size=2"), scenariotest.Out("respawn-out"))
	}
}
