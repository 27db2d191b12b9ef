package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	. "github.com/onsi/gomega"
)

// envSeed repeats a random test.
const envSeed = "POOL_TEST_SEED"

// seeded makes the randomness of a test and prints how to have the same again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv(envSeed), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("again: %s=%d go test ./pool -run '^%s$'", envSeed, seed, t.Name())
	return rand.New(rand.NewPCG(seed, 0))
}

// journal appends "task attempt pid" to a file that the workers share, before and after the work: what really ran, by
// another witness than the pool.
var journal = pool.Register("journal", func(ctx context.Context, in entry) (int, error) {
	f, err := os.OpenFile(in.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%d %d %d\n", in.Task, pool.Attempt(ctx), os.Getpid())
	<-time.After(in.Work)
	return in.Task * in.Task, err
})

type entry struct {
	Path string
	Task int
	Work time.Duration
}

// readJournal gives the pids that ran each task, in the order of the executions.
func readJournal(t *testing.T, path string) map[int][]int {
	t.Helper()
	f, err := os.Open(path)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	ran := map[int][]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var task, attempt, pid int
		_, err := fmt.Sscan(lines.Text(), &task, &attempt, &pid)
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), "%q", lines.Text())
		ran[task] = append(ran[task], pid)
	}
	return ran
}

// torment does something bad to a random worker now and then until ctx ends.
func torment(ctx context.Context, p *pool.Pool, random *rand.Rand) {
	for ctx.Err() == nil {
		pause := time.NewTimer(time.Duration(random.IntN(10)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		workers := p.Workers()
		if len(workers) == 0 {
			continue
		}
		w := workers[random.IntN(len(workers))]
		switch n := random.IntN(20); {
		case w.State != pool.Ready:
		case n < 10:
			_ = killPID(w.PID, syscall.SIGKILL)
		case n < 12:
			_ = killPID(w.PID, syscall.SIGTERM)
		case n < 13 && random.IntN(2) == 0:
			_ = killPID(w.PID, syscall.SIGSTOP)
		default:
			_, _ = p.ArmCrashPoint(w.Slot, pool.CrashPoint(1+random.IntN(int(pool.CrashDuringDrain))))
		}
	}
}

func TestAlwaysEachTaskSettlesOnceWhateverTheSchedule(t *testing.T) {
	long(t)
	beside(t)
	for _, delivery := range []pool.Delivery{pool.AtLeastOnce, pool.AtMostOnce} {
		t.Run(fmt.Sprintf("delivery %d", delivery), func(t *testing.T) {
			g, random := NewWithT(t), seeded(t)
			p := start(t, pool.Config{
				Size: 4, Spares: random.IntN(3), Delivery: delivery, MaxTasks: 50 * random.IntN(3),
				Heartbeat: 500 * time.Millisecond,
				Budgets:   pool.Budgets{Killed: 1000, Crashes: 1000},
			})
			events := p.Subscribe(100_000)
			path := filepath.Join(t.TempDir(), "journal")
			create(t, path)

			ctx, cancel := context.WithCancel(t.Context())
			var tormentor sync.WaitGroup
			tormentor.Go(func() { torment(ctx, p, random) })
			n := 500
			if takes.Every() {
				n = 1500
			}
			futures := make([]*pool.Future[int], n)
			work := rand.New(rand.NewPCG(1, 1))
			for i := range futures {
				futures[i] = journal.Submit(t.Context(), via(p),
					entry{path, i, time.Duration(work.ExpFloat64() * float64(time.Millisecond))})
			}
			lost := 0
			for i, f := range futures {
				v, err := f.Result(bound(t))
				if delivery == pool.AtMostOnce && err != nil {
					g.Expect(err).To(BeAssignableToTypeOf(&pool.WorkerLostError{}))
					lost++
					continue
				}
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(v).To(Equal(i * i))
			}
			cancel()
			tormentor.Wait()
			quiesce(t, p)

			s := p.Stats()
			t.Logf("%d exits, %d requeued, %d lost", s.Exits, s.Requeued, lost)
			g.Expect(s.Submitted).To(Equal(s.Settled), "each task settles exactly once")
			g.Expect(s.Settled).To(Equal(s.OK + s.Failed))
			g.Expect(s.Started).To(Equal(s.Exits+uint64(s.Ready+s.Spares)),
				"each exit was replaced, and nothing else was started")
			g.Expect(s.Rejected).To(BeZero())

			g.Expect(p.Close()).To(Succeed())
			dead := map[int]bool{}
			for e := range events.C {
				if e.Kind == pool.WorkerExited && e.Exit.Kind != pool.KindClean {
					dead[e.Exit.PID] = true
				}
			}
			g.Expect(events.Dropped()).To(BeZero())
			for task, ran := range readJournal(t, path) {
				if delivery == pool.AtMostOnce {
					g.Expect(ran).To(HaveLen(1), "task %d", task)
				}
				for _, pid := range ran[:len(ran)-1] {
					g.Expect(dead).To(HaveKey(pid), "task %d was run again although its worker never died", task)
				}
			}
		})
	}
}

// quiesce waits until the pool is whole and nothing changes any more: armed crash points have gone off.
func quiesce(t *testing.T, p *pool.Pool) {
	t.Helper()
	for slot := range p.Size() {
		_, err := p.ArmCrashPoint(slot, pool.CrashNone)
		if err != nil { // between two workers, and the next one is not armed
			continue
		}
	}
	for range 2 { // a probe may be a worker's last task
		whole(t, p)
		NewWithT(t).Eventually(func() bool {
			s := p.Stats()
			return s.Ready == p.Size() && s.Starting == 0 && s.Started == s.Exits+uint64(s.Ready+s.Spares)
		}).WithTimeout(patience).Should(BeTrue())
	}
}

// envMutant names, by number, the way in which every pool of this process is broken.
const envMutant = "POOL_TEST_MUTANT"

// broken is how the pools made by start are broken.
var broken = func() pool.Mutant {
	n, err := strconv.Atoi(os.Getenv(envMutant))
	if err == nil {
		patience = 3 * time.Second // it is not coming
	}
	return pool.Mutant(n)
}()

// Each promise has a test, and each of these tests must fail when the promise is broken on purpose.
func TestEachMutantIsKilled(t *testing.T) {
	takes.Seconds(t)
	if broken != 0 {
		return
	}
	for mutant, test := range map[pool.Mutant]string{
		pool.MutantShiftBlame:  "TestOnlyTheTaskThatWasRunningIsBlamed",
		pool.MutantDropRequeue: "TestKillOfABusyWorkerRerunsItsTaskAndTouchesNoSibling",
		pool.MutantNoRestart:   "TestKillOfABusyWorkerRerunsItsTaskAndTouchesNoSibling",
		pool.MutantUnsealed:    "TestASharedSegmentCannotBeResizedOrWrittenAgainstTheHostsWill",
	} {
		t.Run(fmt.Sprintf("%d by %s", mutant, test), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), envMutant+"="+strconv.Itoa(int(mutant)))
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			NewWithT(t).Expect(err).To(BeAssignableToTypeOf(exit), "the test passed with a broken pool:\n%s", out)
		})
	}
}
