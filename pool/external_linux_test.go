package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// The tasks of testdata/worker.py and testdata/worker.mjs.
var (
	extSquare   = pool.External[int, int]("square")
	extEcho     = pool.External[[]byte, []byte]("echo")
	extView     = pool.External[[]byte, []byte]("view")
	extAny      = pool.External[any, any]("as-it-is")
	extSay      = pool.External[string, string]("say")
	extNap      = pool.External[int, extSeen]("nap")
	extStubborn = pool.External[int, int]("stubborn")
	extWitness  = pool.External[string, int]("witness")
	extTouch    = pool.External[string, int]("touch")
	extDie      = pool.External[string, int]("die")
	extFail     = pool.External[string, int]("fail")
	extFork     = pool.External[string, int]("fork")
	extMissing  = pool.External[int, int]("not there")
)

type extSeen struct {
	Attempt   int    `json:"attempt"`
	Key       string `json:"key"`
	PID       int    `json:"pid"`
	Cancelled bool   `json:"cancelled"`
}

// languages are those that there is an SDK for.
var languages = []struct {
	name, script string
	program      func() (string, error) // the interpreter itself, which a script in PATH may stand for
}{
	{"python3", "worker.py", sync.OnceValues(func() (string, error) {
		return interpreter("python3", "-c", "import sys; print(sys.executable)")
	})},
	{
		"node", "worker.mjs",
		sync.OnceValues(func() (string, error) { return interpreter("node", "-p", "process.execPath") }),
	},
}

func interpreter(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out)), err
}

// inEachLanguage runs the test with workers of each language, and skips by name what this host lacks. Interpreters take
// their time to start, so without -every each test has one language: half of them each.
func inEachLanguage(t *testing.T, test func(t *testing.T, cfg pool.Config)) {
	takes.Seconds(t)
	briefInEachLanguage(t, test)
}

// briefInEachLanguage is inEachLanguage with -short too.
func briefInEachLanguage(t *testing.T, test func(t *testing.T, cfg pool.Config)) {
	beside(t)
	for i, l := range languages {
		if _, err := l.program(); err != nil || takes.Every() || i == languageOf(t) {
			inLanguage(t, i, test)
		}
	}
}

// inPython is for what no other SDK does: inEachLanguage would leave it out where the test has another language.
func inPython(t *testing.T, test func(t *testing.T, cfg pool.Config)) {
	takes.Seconds(t)
	beside(t)
	inLanguage(t, 0, test)
}

func inLanguage(t *testing.T, i int, test func(t *testing.T, cfg pool.Config)) {
	l := languages[i]
	t.Run(l.name, func(t *testing.T) {
		program, err := l.program()
		if err != nil {
			t.Skipf("there is no %s here: %v", l.name, err)
		}
		script, err := filepath.Abs(filepath.Join("testdata", l.script))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		sdk, err := filepath.Abs("../workers/python")
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		test(t, pool.Config{Size: 2, Command: []string{program, script}, Env: []string{
			"PYTHONPATH=" + sdk, "PYTHONDONTWRITEBYTECODE=1", "NODE_OPTIONS=--max-old-space-size=128",
		}})
	})
}

// languageOf is the test's own language, by its name; another one where this host lacks it.
func languageOf(t *testing.T) int {
	n := uint32(len(languages))
	i := crc32.ChecksumIEEE([]byte(t.Name())) % n
	for range languages {
		if _, err := languages[i].program(); err == nil {
			break
		}
		i = (i + 1) % n
	}
	return int(i)
}

func TestTasksRunInWorkersOfAnotherLanguage(t *testing.T) {
	briefInEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		g, p := NewWithT(t), start(t, cfg)
		in := make([]int, 3000)
		want := make([]int, len(in))
		for i := range in {
			in[i], want[i] = i, i*i
		}
		g.Expect(extSquare.Map(bound(t), via(p), in)).To(Equal(want))

		raw := []byte("\x00\xff no JSON \n")
		g.Expect(extEcho.Call(bound(t), via(p), raw)).To(Equal(raw))
		large := bytes.Repeat([]byte("0123456789abcde\n"), 200<<10/16)
		g.Expect(extEcho.Call(bound(t), via(p), large)).To(Equal(large))
		value := map[string]any{"text": "<é> \u2028 \ufffd", "list": []any{1.5, true, nil}, "none": nil}
		g.Expect(extAny.Call(bound(t), via(p), value)).To(Equal(value))
		g.Expect(extAny.Call(bound(t), via(p), nil)).To(BeNil())

		seen, err := extNap.Call(bound(t), via(p), 0, pool.WithKey("a key"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(seen.Key).To(Equal("a key"))
		g.Expect(seen.Attempt).To(Equal(1))
		g.Expect([]int{p.Workers()[0].PID, p.Workers()[1].PID}).To(ContainElement(seen.PID))
	})
}

func TestWhatAWorkerPrintsIsItsOutputAndNoProtocol(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		var mu sync.Mutex
		var lines []string
		keep := func(_ string, line []byte) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, string(line))
		}
		cfg.Size, cfg.Stdout, cfg.Stderr = 1, keep, keep
		g, p := NewWithT(t), start(t, cfg)
		g.Expect(extSay.Call(bound(t), via(p), "hello")).To(Equal("hello"))
		g.Eventually(func() []string {
			mu.Lock()
			defer mu.Unlock()
			return append([]string{}, lines...)
		}).WithTimeout(patience).Should(ContainElements("printed at import", "hello", "hello", "raw on stdout"))
	})
}

// shares tells whether those workers share memory with their pool.
func shares(cfg pool.Config) bool { return strings.Contains(cfg.Command[1], ".py") }

func TestErrorsOfAnotherLanguageHaveTheirTypeAndTrace(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.MaxPayload = 8 << 20
		g, p := NewWithT(t), start(t, cfg)
		pidsBefore := pids(p)
		_, err := extFail.Call(bound(t), via(p), "value")
		var handler *pool.HandlerError
		g.Expect(errors.As(err, &handler)).To(BeTrue(), "%v", err)
		g.Expect(handler.Message).To(Equal("no good: value"))
		g.Expect(handler.Type).To(BeElementOf("ValueError", "TypeError"))
		g.Expect(handler.Trace).To(And(ContainSubstring("worker."), ContainSubstring("fail")))
		g.Expect(handler.Task).To(Equal("fail"))

		_, err = extFail.Call(bound(t), via(p), "text")
		g.Expect(errors.As(err, &handler)).To(BeTrue(), "%v", err)
		g.Expect(len(handler.Message)).To(BeNumerically("<", 1<<20))

		for how, said := range map[string]string{
			"nothing": "did the handler return nothing?", "nan": "", "generator": "", "surrogate": "",
			"as text": "cannot unmarshal string",
		} {
			_, err = extFail.Call(bound(t), via(p), how)
			var enc *pool.EncodeError
			g.Expect(errors.As(err, &enc)).To(BeTrue(), "%s: %v", how, err)
			g.Expect(err.Error()).To(ContainSubstring(said), how)
		}
		_, err = extFail.Call(bound(t), via(p), "large")
		g.Expect(err).To(MatchError(pool.ErrPayloadTooLarge))
		if _, err = extEcho.Call(bound(t), via(p), make([]byte, 5<<20)); !shares(cfg) {
			g.Expect(err).To(MatchError(ContainSubstring("shares no memory with its pool")))
		}
		_, err = extEcho.Call(bound(t), via(p), make([]byte, 9<<20))
		g.Expect(err).To(MatchError(pool.ErrPayloadTooLarge))
		_, err = extAny.Call(bound(t), via(p), "\xff")
		g.Expect(err).To(MatchError(ContainSubstring("not UTF-8")))
		_, err = extAny.Call(bound(t), via(p), math.NaN())
		g.Expect(err).To(HaveOccurred())
		_, err = extMissing.Call(bound(t), via(p), 1)
		g.Expect(err).To(MatchError(pool.ErrUnknownTask))
		g.Expect(err.Error()).To(ContainSubstring("square"), "names what there is")

		g.Expect(extSquare.Call(bound(t), via(p), 5)).To(Equal(25))
		g.Expect(pids(p)).To(Equal(pidsBefore), "no worker died of that")
	})
}

func TestATaskForWorkersOfTheOtherKindIsRefused(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		g, p := NewWithT(t), start(t, pool.Config{Size: 1})
		_, err := extSquare.Call(bound(t), via(p), 1)
		g.Expect(err).To(MatchError(pool.ErrOtherWorkers))
		p = start(t, cfg)
		_, err = sleep.Call(bound(t), via(p), 1)
		g.Expect(err).To(MatchError(pool.ErrOtherWorkers))
		_, err = p.ArmCrashPoint(0, pool.CrashMidExec)
		g.Expect(err).To(MatchError(errors.ErrUnsupported))
	})
}

func TestADeadWorkerOfAnotherLanguageIsBlamedForTheTaskThatItRan(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		for how, kind := range map[string]pool.Kind{
			"exit": pool.KindCrashed, "segv": pool.KindCrashed, "kill": pool.KindKilled,
		} {
			_, err := extDie.Call(bound(t), via(p), how, pool.WithDelivery(pool.AtMostOnce))
			var lost *pool.WorkerLostError
			g.Expect(errors.As(err, &lost)).To(BeTrue(), "%s: %v", how, err)
			g.Expect(lost.Exits).To(HaveLen(1))
			g.Expect(lost.Exits[0].Kind).To(Equal(kind), how)
			g.Expect(lost.Exits[0].Task).To(Equal("die"))
			g.Expect(extDie.Call(bound(t), via(p), how+" once")).To(Equal(2))
		}
		_, err := extDie.Call(bound(t), via(p), "exit")
		var lost *pool.WorkerLostError
		g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
		g.Expect(lost.Exits).To(HaveLen(3), "the budget of crashes")
	})
}

// trained teaches the pool that tasks are short, so that it sends several at a time.
func trained(t *testing.T, p *pool.Pool) {
	t.Helper()
	_, err := extSquare.Map(bound(t), via(p), make([]int, 4000))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

func TestTasksBehindOneThatKillsItsWorkerAreNotBlamedInAnotherLanguage(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		for range 5 {
			trained(t, p)
			var good []*pool.Future[int]
			var poison *pool.Future[int]
			for i := range 60 {
				if i == 10 {
					poison = extDie.Submit(bound(t), via(p), "exit", pool.WithDelivery(pool.AtMostOnce))
				}
				good = append(good, extSquare.Submit(bound(t), via(p), i, pool.WithDelivery(pool.AtMostOnce)))
			}
			_, err := poison.Result(bound(t))
			var lost *pool.WorkerLostError
			g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
			g.Expect(lost.Exits[0].Task).To(Equal("die"))
			for i, f := range good[10:] {
				_, err := f.Result(bound(t))
				g.Expect(err).NotTo(HaveOccurred(), "task %d was behind it", i)
			}
		}
		g.Expect(p.Stats().Requeued+p.Stats().Revoked).To(BeNumerically(">", 0), "some were at the worker")
		g.Expect(p.Stats().Rejected).To(BeZero())
	})
}

func TestTasksTakenBackFromAWorkerOfAnotherLanguageRunElsewhereAndNotThere(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		g, p := NewWithT(t), start(t, cfg)
		dir := t.TempDir()
		for round := range 10 {
			trained(t, p)
			var futures []*pool.Future[int]
			for i := range 60 {
				if i == 5 {
					futures = append(futures, extStubborn.Submit(bound(t), via(p), 50))
				}
				futures = append(futures,
					extTouch.Submit(bound(t), via(p), filepath.Join(dir, fmt.Sprint(round, "-", i))))
			}
			for i, f := range futures {
				_, err := f.Result(bound(t))
				g.Expect(err).NotTo(HaveOccurred(), "task %d", i)
			}
			for i := range 60 {
				ran, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(round, "-", i)))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(string(ran)).To(Equal("."), "task %d", i)
			}
		}
		g.Expect(p.Stats().Revoked).To(BeNumerically(">", 0))
		g.Expect(p.Stats().Rejected).To(BeZero())
	})
}

func TestAStormOfKillsLosesNothingInAnotherLanguage(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Spares, cfg.Budgets.Killed = 2, 1000
		g, p := NewWithT(t), start(t, cfg)
		n := fewer(400, 100)
		var futures []*pool.Future[int]
		for i := range n {
			futures = append(futures, extStubborn.Submit(bound(t), via(p), 1+i%5))
		}
		for k := range 6 {
			g.Eventually(func() bool { return futures[(k+1)*n/8].Outcome().Attempts > 0 }).WithTimeout(patience).
				Should(BeTrue())
			for _, pid := range pids(p) {
				_ = killPID(pid, syscall.SIGKILL)
				break
			}
		}
		for i, f := range futures {
			_, err := f.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred(), "task %d", i)
		}
		g.Expect(p.Stats().Rejected).To(BeZero())
		g.Expect(p.Stats().Settled).To(BeEquivalentTo(n))
		g.Expect(extSquare.Call(bound(t), via(p), 7)).To(Equal(49))
		g.Expect(p.Drain(bound(t))).To(Succeed())
	})
}

func TestAtMostOnceHoldsForWorkersOfAnotherLanguageThatAreKilled(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Spares, cfg.Delivery = 2, pool.AtMostOnce
		g, p := NewWithT(t), start(t, cfg)
		dir := t.TempDir()
		var futures []*pool.Future[int]
		for i := range 200 {
			futures = append(futures, extWitness.Submit(bound(t), via(p), filepath.Join(dir, fmt.Sprint(i))))
		}
		for k := range 4 {
			<-futures[k*40+20].Done()
			for _, pid := range pids(p) {
				_ = killPID(pid, syscall.SIGKILL)
			}
		}
		lost := 0
		for i, f := range futures {
			_, err := f.Result(bound(t))
			ran, _ := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
			g.Expect(len(ran)).To(BeNumerically("<=", 1), "task %d", i)
			if err != nil {
				lost++
				g.Expect(err).To(BeAssignableToTypeOf(&pool.WorkerLostError{}))
				continue
			}
			g.Expect(ran).To(HaveLen(1), "task %d", i)
		}
		g.Expect(lost).To(BeNumerically("<=", 8*20), "what was running, and what was answered and not written")
	})
}

func TestSIGTERMLetsAWorkerOfAnotherLanguageFinishItsTask(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		exits := p.Subscribe(100)
		f := extNap.Submit(bound(t), via(p), 300)
		w := inPhase(t, p, 0, pool.PhaseRunning)
		kill(t, w.PID, syscall.SIGTERM)
		seen, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(seen.PID).To(Equal(w.PID))
		g.Expect(seen.Attempt).To(Equal(1))
		g.Eventually(func() *pool.Exit { return p.Workers()[0].LastExit }).WithTimeout(patience).ShouldNot(BeNil())
		g.Expect(p.Workers()[0].LastExit.Kind).To(Equal(pool.KindClean))
		exits.Close()

		g.Expect(extSquare.Call(bound(t), via(p), 3)).To(Equal(9))
		idle := inPhase(t, p, 0, pool.PhaseIdle) // and one that has nothing to do
		kill(t, idle.PID, syscall.SIGTERM)
		g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(idle.PID)))
		g.Expect(p.Workers()[0].LastExit.Kind).To(Equal(pool.KindClean))
	})
}

func TestAStoppedWorkerOfAnotherLanguageIsReplaced(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size, cfg.Heartbeat = 1, time.Second
		g, p := NewWithT(t), start(t, cfg)
		_, err := extDie.Call(bound(t), via(p), "stop", pool.WithDelivery(pool.AtMostOnce))
		var lost *pool.WorkerLostError
		g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
		g.Expect(lost.Exits[0].Reason).To(Equal(pool.ReasonStall))
		g.Expect(lost.Exits[0].Stopped).To(Equal(syscall.SIGSTOP))
		g.Expect(extNap.Call(bound(t), via(p), 2500)).To(HaveField("Attempt", 1), "and a long task is no stall")
	})
}

func TestTimeoutsAndCancellationReachAnotherLanguage(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size, cfg.CancelGrace = 1, 300*time.Millisecond
		g, p := NewWithT(t), start(t, cfg)
		_, err := extStubborn.Call(bound(t), via(p), 600_000, pool.WithTimeout(100*time.Millisecond))
		var timeout *pool.TimeoutError
		g.Expect(errors.As(err, &timeout)).To(BeTrue(), "%v", err)

		g.Expect(extSquare.Call(bound(t), via(p), 3)).To(Equal(9))
		before := pids(p)[0]
		ctx, cancel := context.WithCancel(bound(t))
		f := extNap.Submit(ctx, via(p), 600_000)
		inPhase(t, p, 0, pool.PhaseRunning)
		cancel()
		_, err = f.Result(bound(t))
		g.Expect(err).To(MatchError(context.Canceled))
		g.Expect(extNap.Call(bound(t), via(p), 0)).To(HaveField("PID", before), "the handler saw it and returned")

		ctx, cancel = context.WithCancel(bound(t))
		f2 := extStubborn.Submit(ctx, via(p), 600_000)
		inPhase(t, p, 0, pool.PhaseRunning)
		cancel()
		_, err = f2.Result(bound(t))
		g.Expect(err).To(MatchError(context.Canceled))
		g.Expect(extNap.Call(bound(t), via(p), 0)).To(HaveField("PID", Not(Equal(before))),
			"the handler did not, and its worker was killed")
	})
}

func TestRecyclingAndRestartOfWorkersOfAnotherLanguage(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.MaxTasks = 10
		g, p := NewWithT(t), start(t, cfg)
		_, err := extSquare.Map(bound(t), via(p), make([]int, 100))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(p.Stats().Exits).To(BeNumerically(">=", 8))
		g.Expect(p.Stats().Crashed + p.Stats().Killed).To(BeZero())
		before := pids(p)
		g.Expect(p.Restart(bound(t))).To(Succeed())
		for slot, pid := range pids(p) {
			g.Expect(pid).NotTo(Equal(before[slot]))
		}
		g.Expect(p.Close()).To(Succeed())
	})
}

func TestACommandThatIsNoWorkerIsOneClearErrorOfNew(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		plain := filepath.Join(t.TempDir(), "plain")
		NewWithT(t).Expect(os.WriteFile(plain, []byte("text"), 0o600)).To(Succeed())
		// A shell that stays is no parent that the pool knows.
		child := []string{"/bin/sh", "-c", `"$@"; exit $?`, "sh", cfg.Command[0], cfg.Command[1]}
		for name, c := range map[string]struct {
			command []string
			env     string
			says    string
		}{
			"that is not there": {
				[]string{"/not/there"},
				"",
				"Config.Command: exec: \"/not/there\": stat /not/there: no such file",
			},
			"in no PATH":               {[]string{"respawn-no-such-program"}, "", "executable file not found in $PATH"},
			"that is not executable":   {[]string{plain}, "", "permission denied"},
			"that is empty":            {[]string{}, "", "Config.Command is empty"},
			"that prints":              {nil, "PRINT_ONLY=1", "exited before it was ready"},
			"that never says ready":    {nil, "SILENT=1", "did not say ready within 2s"},
			"that dies at import":      {nil, "CRASH_AT_IMPORT=1", "a_module_that_is_not_there"},
			"that sends garbage":       {nil, "GARBAGE=1", "not a frame"},
			"of another protocol":      {nil, "OTHER_PROTOCOL=1", "speaks protocol"},
			"that is a worker's child": {child, "", "use exec"},
		} {
			t.Run(name, func(t *testing.T) {
				g := NewWithT(t)
				cfg := cfg
				cfg.Size, cfg.BootTimeout, cfg.Backoff = 1, loaded(10*time.Second), pool.Backoff{Threshold: 1}
				if c.command != nil {
					cfg.Command = c.command
				}
				if c.env != "" {
					cfg.Env = append(cfg.Env, c.env)
				}
				if c.env == "SILENT=1" {
					cfg.BootTimeout = 2 * time.Second
				}
				p, err := pool.New(bound(t), cfg)
				if err == nil {
					p.Terminate()
				}
				g.Expect(err).To(MatchError(ContainSubstring(c.says)))
				if c.env == "CRASH_AT_IMPORT=1" {
					g.Expect(strings.Join(strings.SplitN(err.Error(), "\n", 10)[1:], "\n")).
						To(ContainSubstring("worker."), "the traceback is there")
				}
			})
		}
	})
}

func TestAForkedChildThatReturnsIsNoSecondWorker(t *testing.T) {
	inPython(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		g.Expect(extFork.Call(bound(t), via(p), "exits")).To(Equal(0))
		g.Expect(extFork.Call(bound(t), via(p), "returns")).To(Equal(70))
		for range 50 {
			g.Expect(extSquare.Call(bound(t), via(p), 6)).To(Equal(36))
		}
		g.Expect(p.Stats().Rejected).To(BeZero())
		g.Expect(p.Stats().Exits).To(BeZero())
	})
}

func TestWantOfMemoryInAHandlerIsOOM(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		_, err := extDie.Call(bound(t), via(p), "memory", pool.WithDelivery(pool.AtMostOnce))
		var lost *pool.WorkerLostError
		g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
		g.Expect(lost.Exits[0].Kind).To(Equal(pool.KindOOM))
	})
}

func TestTheCommandsPathIsNotResolvedAndBeginsAtDir(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		g, dir := NewWithT(t), t.TempDir()
		g.Expect(os.Mkdir(filepath.Join(dir, "bin"), 0o700)).To(Succeed())
		script := fmt.Sprintf("#!/bin/sh\n[ \"$0\" = %q ] && exec %q %q\n",
			filepath.Join(dir, "bin", "link"), cfg.Command[0], cfg.Command[1])
		g.Expect(os.WriteFile(filepath.Join(dir, "bin", "real"), []byte(script), 0o700)).To(Succeed())
		g.Expect(os.Symlink("real", filepath.Join(dir, "bin", "link"))).To(Succeed())
		cfg.Size, cfg.Dir, cfg.Command = 1, dir, []string{"bin/link"}
		p := start(t, cfg)
		g.Expect(extSquare.Call(bound(t), via(p), 4)).To(Equal(16))
	})
}

func TestToCancelOneTaskThatWaitsAtAWorkerLeavesTheOthersThereToRun(t *testing.T) {
	long(t)
	inEachLanguage(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		g, p := NewWithT(t), start(t, cfg)
		refused, rounds := 0, 10
		if takes.Every() {
			rounds = 50
		}
		for range rounds {
			trained(t, p)
			ctx, cancel := context.WithCancel(bound(t))
			var others, cancelled []*pool.Future[int]
			for i := range 60 {
				if others = append(others, extSquare.Submit(bound(t), via(p), i)); i > 20 && i%4 == 0 {
					cancelled = append(cancelled, extSquare.Submit(ctx, via(p), i))
				}
			}
			cancel()
			for i, f := range others {
				g.Expect(f.Result(bound(t))).To(Equal(i * i))
			}
			for _, f := range cancelled {
				if _, err := f.Result(bound(t)); err != nil {
					g.Expect(err).To(MatchError(context.Canceled))
					refused++
				}
			}
		}
		g.Expect(refused).To(BeNumerically(">", 0))
		g.Expect(p.Stats().Rejected).To(BeZero())
		g.Expect(p.Stats().Exits).To(BeZero(), "a worker that nobody gives what it waits for is taken for stalled")
	})
}

func TestAWorkerThatBreaksTheProtocolIsKilledAndNamed(t *testing.T) {
	inPython(t, func(t *testing.T, cfg pool.Config) {
		for how, said := range map[string]string{
			"answers twice":                 "which is not there",
			"answers with a foreign number": "which is not there",
			"writes tickets":                "tickets are in the pipe",
			"takes no tickets":              "which was not started",
			"tears tickets":                 "read in part",
			"prints into the socket":        "not a frame",
			"sends tasks":                   "kind 2 from a worker",
			"says ready twice":              "ready twice",
		} {
			t.Run(how, func(t *testing.T) {
				g, cfg := NewWithT(t), cfg
				cfg.Size, cfg.Command = 1,
					[]string{cfg.Command[0], filepath.Join(filepath.Dir(cfg.Command[1]), "broken.py")}
				cfg.Env = append([]string{"BROKEN=" + how}, cfg.Env...)
				p := start(t, cfg)
				events := p.Subscribe(1000)
				defer events.Close()
				_, err := extSquare.Call(bound(t), via(p), 3, pool.WithDelivery(pool.AtMostOnce))
				if err != nil {
					var lost *pool.WorkerLostError
					g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
					g.Expect(lost.Exits[0].Reason).To(Equal(pool.ReasonProtocol))
				}
				g.Eventually(func() error {
					// A look at the pipe while nothing of the parent's is in it sees no forgery: the next task does.
					ctx, cancel := context.WithTimeout(bound(t), 5*time.Second)
					defer cancel()
					_, _ = extSquare.Call(ctx, via(p), 3)
					for {
						select {
						case e := <-events.C:
							if e.Kind == pool.FrameRejected {
								return e.Err
							}
						default:
							return nil
						}
					}
				}).WithTimeout(patience).Should(MatchError(ContainSubstring(said)))
			})
		}
	})
}

func TestLargePayloadsGoBySharedMemory(t *testing.T) {
	inPython(t, func(t *testing.T, cfg pool.Config) {
		cfg.Size = 1
		var mu sync.Mutex
		var printed []string
		cfg.Stderr = func(_ string, line []byte) {
			mu.Lock()
			defer mu.Unlock()
			printed = append(printed, string(line))
		}
		g, p := NewWithT(t), start(t, cfg)
		before := pids(p)
		large := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)
		for _, echo := range []pool.Task[[]byte, []byte]{extEcho, extView} {
			var futures []*pool.Future[[]byte]
			for i := range 8 {
				futures = append(futures, echo.Submit(bound(t), via(p), large[i:len(large)-i*100_000]))
			}
			for i, f := range futures {
				got, err := f.Result(bound(t))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(bytes.Equal(got, large[i:len(large)-i*100_000])).To(BeTrue(), "task %d", i)
			}
		}
		text := strings.Repeat("é", 3<<20)
		g.Expect(extAny.Call(bound(t), via(p), text)).To(Equal(text), "JSON too")
		_, err := extView.Call(bound(t), via(p), append([]byte("fail"), large...))
		g.Expect(err).To(MatchError(ContainSubstring("with a view")))
		g.Expect(extView.Call(bound(t), via(p), []byte("small"))).To(Equal([]byte("small")))
		g.Expect(pids(p)).To(Equal(before))

		g.Expect(extView.Call(bound(t), via(p), append([]byte("keep"), large...))).To(Equal([]byte("keep0123")))
		g.Expect(extView.Call(bound(t), via(p), large)).To(Equal(large))
		g.Expect(pids(p)).NotTo(Equal(before), "who keeps a view ends after the task")
		g.Expect(p.Stats().Crashed + p.Stats().Rejected).To(BeZero())
		mu.Lock()
		defer mu.Unlock()
		g.Expect(printed).To(ContainElement(ContainSubstring("the handler of 'view' kept a view of its argument")))
	})
}

func TestAStormOfKillsLosesNoLargePayload(t *testing.T) {
	long(t)
	inPython(t, func(t *testing.T, cfg pool.Config) {
		cfg.Spares, cfg.Budgets.Killed = 2, 1000
		g, p := NewWithT(t), start(t, cfg)
		large := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
		var futures []*pool.Future[[]byte]
		for i := range 60 {
			futures = append(futures, extEcho.Submit(bound(t), via(p), large[i:]))
		}
		for k := range 4 {
			<-futures[10+k*10].Done()
			_ = killPID(pids(p)[k%2], syscall.SIGKILL)
		}
		for i, f := range futures {
			got, err := f.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bytes.Equal(got, large[i:])).To(BeTrue(), "task %d", i)
		}
		g.Expect(p.Stats().Rejected).To(BeZero())
	})
}

func python(t *testing.T, size int, env ...string) (cfg pool.Config) {
	t.Helper()
	program, err := languages[0].program()
	if err != nil {
		t.Skipf("there is no python3 here: %v", err)
	}
	sdk, err := filepath.Abs("../workers/python")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return pool.Config{Size: size, Command: []string{program, "testdata/worker.py"}, Env: append(env, "PYTHONPATH="+sdk,
		"PYTHONDONTWRITEBYTECODE=1")}
}

// Each says when its imports begin and end.
func TestNoMoreWorkersOfAnotherLanguageBootAtATimeThanThereAreProcessors(t *testing.T) {
	takes.Seconds(t)
	g, log := NewWithT(t), filepath.Join(t.TempDir(), "imports")
	most := runtime.GOMAXPROCS(0)
	cfg := python(t, 2*most+1, "IMPORTS_LOG="+log)
	cfg.Spares = 1
	p := start(t, cfg)
	g.Expect(extSquare.Call(bound(t), p, 7)).To(Equal(49))
	g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(1))
	events, err := os.ReadFile(log)
	g.Expect(err).NotTo(HaveOccurred())
	now, highest := 0, 0
	for _, e := range string(events) {
		now += map[rune]int{'B': 1, 'E': -1}[e]
		highest = max(highest, now)
	}
	g.Expect(string(events)).To(HaveLen(2 * (cfg.Size + cfg.Spares)))
	g.Expect(highest).To(BeNumerically("<=", most), "%s", events)
}

// As many as may boot at a time wait in their imports, here for a file.
func TestABootThatHangsDoesNotKeepOtherWorkersOfAnotherLanguageFromBooting(t *testing.T) {
	long(t)
	g, dir := NewWithT(t), t.TempDir()
	log := filepath.Join(dir, "imports")
	var hang []string
	for i := range runtime.GOMAXPROCS(0) {
		hang = append(hang, filepath.Join(dir, fmt.Sprint("go-on-", i)))
	}
	cfg := python(t, len(hang)+1, "IMPORTS_LOG="+log, "IMPORTS_HANG="+strings.Join(hang, ":"))
	cfg.BootTimeout = 12 * time.Second
	came := make(chan *pool.Pool)
	go func() {
		p, err := pool.New(bound(t), cfg)
		g.Expect(err).NotTo(HaveOccurred())
		came <- p
	}()
	g.Eventually(func() string { b, _ := os.ReadFile(log); return string(b) }).WithTimeout(patience).
		Should(ContainSubstring("E"))
	for _, name := range hang {
		g.Expect(os.WriteFile(name, nil, 0o644)).To(Succeed())
	}
	p := <-came
	defer p.Close()
	g.Expect(p.Stats().Started).To(BeEquivalentTo(cfg.Size), "none was ended for its hanging")
}

func TestAHardLimitCountsWhatTheImportsOfAWorkerOfAnotherLanguageTake(t *testing.T) {
	takes.Seconds(t)
	needMemoryCgroup(t)
	g := NewWithT(t)
	cfg := python(t, 1, fmt.Sprintf("IMPORTS_TAKE=%d", 2*hard))
	cfg.HardMemory, cfg.Backoff.Threshold = hard, 2
	_, err := pool.New(bound(t), cfg)
	var loop *pool.CrashLoopError
	g.Expect(errors.As(err, &loop)).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError(ContainSubstring("out of memory: cgroup oom_kill +1")))
	cfg.HardMemory = 0
	p := start(t, cfg)
	g.Expect(p.Workers()[0].Cgroup).To(BeEmpty())
	g.Expect(extSquare.Call(bound(t), p, 7)).To(Equal(49), "without the limit it is fine")
}
