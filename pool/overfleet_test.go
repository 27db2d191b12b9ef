//go:build overfleet

package pool_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// With the tag overfleet the suite's tasks go to their pools over a fleet: each pool that a test submits to is a node
// of a fleet of its own, on brokers that are processes beside the test's. It is a tag so that the suite's workers link
// nothing of it otherwise.

var brokers = flag.Int("brokers", 1, "how many brokers keep the queues of the fleets: 1, 3 or 5")

const (
	slots    = "a fleet has no slots"
	poolEnds = "a node whose pool ends gives its tasks back to their owner, who waits for another node"
	queue    = "the limit of a fleet's queue is its owner's, and counts what runs"
	atWorker = "what a pool has given to a worker ahead is no other over a fleet, and takes 200,000 tasks to see"
)

// leftOut are the tests that a fleet cannot bear, and why not.
var leftOut = map[string]string{
	"TestInitializerRunsOncePerWorkerAndPerReplacement":                slots,
	"TestKillOfABusyWorkerAtMostOnceNamesPidAndSignalWithinASecond":    slots,
	"TestAPinnedTaskThatComesBackToASlotThatWasMadeAgainRuns":          slots,
	"TestUseAfterCloseAndTerminateIsErrClosed":                         poolEnds,
	"TestTerminateWithTenThousandQueuedTasksReturnsFastAndSettlesThem": poolEnds,
	"TestCloseDrainsWhatWasSubmitted":                                  poolEnds,
	"TestDrainWhoseContextEndsGoesOnDraining":                          poolEnds,
	"TestACloseThatRunsOutOfTimeSettlesEveryFuture":                    poolEnds,
	"TestDrainAndCloseSayWhenTerminateEndedTasks":                      poolEnds,
	"TestCloseThatHitsItsTimeoutSaysItInOneLine":                       poolEnds,
	"TestAFullQueueSaysWhichLimitAndWhatHelps":                         queue,
	"TestToCancelOneTaskThatWaitsAtAWorkerLeavesTheOthersThereToRun":   atWorker,
	"TestShrinkNeverKillsABusyWorker":                                  slots,
	"TestAnIdleWorkerThatIsStoppedIsDetectedWhileAnotherWorks":         slots,
	"TestATaskTimeoutKillsOnlyThatWorker":                              slots,
	"TestMaxAgeRecyclesAnIdleWorkerAndABusyOneAfterItsTask":            slots,
	"TestACancelledTaskMakesRoomInAFullQueue":                          queue,
	"TestRestartEndsWithItsContextOrThePool":                           poolEnds,
	"TestAWorkerThatIgnoresSIGTERMAndHangsIsStoppedByCloseInTime":      poolEnds,
	"TestAStoppedWorkerIsDetectedWithinTheHeartbeatsBoundAndReplaced":  slots,
	"TestFullQueueFailsOrBlocksUntilTheContext":                        queue,
}

func init() { around = overFleet }

// overFleet runs the tests with brokers beside them.
func overFleet(run func() int) int {
	local, err := localfleet.Start(localfleet.Config{Nodes: -1, Brokers: *brokers, InMemory: true, Output: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = local.Close() }()
	names := slices.Sorted(maps.Keys(leftOut))
	for _, name := range names {
		fmt.Printf("left out: %s: %s\n", name, leftOut[name])
	}
	_ = flag.Set("test.skip", "^("+strings.Join(names, "|")+")$")
	c := &carriers{config: local.Config(), of: make(map[*pool.Pool]*carried)}
	pool.Carry(c.to)
	starting = c.starting
	return run()
}

// carriers are the fleets, one for each pool.
type carriers struct {
	config fleet.Config
	mu     sync.Mutex
	of     map[*pool.Pool]*carried
}

// carried is a pool as a node, once somebody has submitted to it.
type carried struct {
	config fleet.Config
	pool   *pool.Pool
	once   sync.Once
	owner  *fleet.Fleet
	stop   func()
	node   chan error
}

// starting makes ready to carry tasks to p: what a pool's settings say of tasks that do not say is an owner's in a
// fleet.
func (c *carriers) starting(t *testing.T, p *pool.Pool, cfg pool.Config) (ended func()) {
	one := &carried{config: c.config, pool: p, node: make(chan error, 1)}
	one.config.Fleet, one.config.QueueBytes = "suite-"+p.ID(), 4<<20
	one.config.Delivery, one.config.NoNodes = cfg.Delivery, 3*time.Second
	if !cfg.QueueBlock { // in a fleet it is each message that says so
		one.config.QueueLimit = cfg.QueueLimit
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[p] = one
	return func() {
		c.mu.Lock()
		delete(c.of, p)
		c.mu.Unlock()
		one.end(t)
	}
}

// to is the fleet that has p as its node.
func (c *carriers) to(p *pool.Pool) pool.Runner {
	c.mu.Lock()
	one := c.of[p]
	c.mu.Unlock()
	if one == nil { // start has not made it, and would not end its fleet
		return p
	}
	one.once.Do(one.begin)
	return one.owner
}

// begin starts the fleet, and waits until its node is there: who looks then for what there is sees all of it.
func (one *carried) begin() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if one.owner, err = fleet.Dial(ctx, one.config); err != nil {
		panic(err) // of the test that has submitted
	}
	serving, stop := context.WithCancel(context.Background())
	one.stop = stop
	go func() {
		one.node <- fleet.ServePool(serving, one.pool,
			fleet.Node{Fleet: one.config.Fleet, Servers: one.config.Servers, Name: "node", Grace: time.Second})
	}()
	for len(one.owner.Nodes()) == 0 {
		if err := wait.For(ctx, time.Millisecond); err != nil {
			panic(err)
		}
	}
}

// end ends the fleet of a pool that has ended, and takes its queue away.
func (one *carried) end(t *testing.T) {
	if one.owner == nil {
		return
	}
	g := NewWithT(t)
	one.stop()
	g.Expect(<-one.node).To(Succeed())
	g.Expect(one.owner.Close()).To(Succeed())
	nc, err := nats.Connect(one.config.Servers)
	g.Expect(err).NotTo(HaveOccurred())
	defer nc.Close()
	js, err := jetstream.New(nc)
	g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's has ended
	defer cancel()
	g.Expect(js.DeleteStream(ctx, one.config.Fleet)).To(Succeed())
}
