package targets_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/own"
	"github.com/respawn-go/respawn/scenarios/targets/server"
)

// external is what a driver and a server have in common as targets.
type external interface {
	chaos.Target
	chaos.Prober
	chaos.Runner
	chaos.Marked
	chaos.Supervised
	chaos.Numbering
	Witness() string
	Close() error
}

// events collects what a target tells.
type events struct {
	mu   sync.Mutex
	list []history.MemberEvent
}

func (e *events) add(m history.MemberEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, m)
}

// of lists the ops of a slot, in order.
func (e *events) of(slot int) (ops []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.list {
		if m.Slot == slot {
			ops = append(ops, string(m.Op))
		}
	}
	return ops
}

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

func bound(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// startPool starts this project's pool behind a driver.
func startPool(t *testing.T, size int) *driver.Target {
	t.Helper()
	d, err := driver.StartTarget(bound(t), own.AsDriver(size, ""), t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return d
}

func TestADriverIsATarget(t *testing.T) { isATarget(t, startPool(t, 3), 3) }

func TestAServerIsATarget(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for _, kind := range server.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "respawn-server-")
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			defer os.RemoveAll(dir)
			s, err := server.StartTarget(bound(t), server.Config{Kind: kind, Size: 3, Dir: dir})
			var missing *foreign.NotInstalledError
			if errors.As(err, &missing) {
				t.Skip(missing)
			}
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			isATarget(t, s, 3)
		})
	}
}

// isATarget goes through everything that the engine asks of a target.
func isATarget(t *testing.T, target external, size int) {
	t.Helper()
	g := NewWithT(t)
	ctx := bound(t)
	var seen events
	unwatch := target.Watch(seen.add)
	defer func() { g.Expect(unwatch()).To(BeZero()) }()

	g.Expect(target.Want()).To(Equal(size))
	var members []chaos.Member
	g.Eventually(func() ([]chaos.Member, error) {
		var err error
		members, err = target.Members(ctx)
		return members, err
	}).WithTimeout(20*time.Second).Should(And(HaveLen(size), HaveEach(HaveField("Phase", "idle"))),
		"the proof's tasks may not be over yet")
	for slot, m := range members {
		g.Expect(m).To(And(HaveField("Slot", slot), HaveField("Generation", 1), HaveField("State", chaos.Ready)))
		g.Expect(procfs.Ancestors(m.PID)).To(ContainElement(target.Supervisor()))
		g.Expect(target.Probe(ctx, slot)).To(Equal(m.PID), "probe of slot %d", slot)
	}

	victim := members[1]
	g.Expect(syscall.Kill(victim.PID, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() bool { p, err := procfs.Read(victim.PID); return err == nil && p.Alive() }).Should(BeFalse(),
		"until then it may answer")
	pid, err := target.Probe(ctx, victim.Slot)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pid).NotTo(Equal(victim.PID))
	life := []string{"exited", "started", "ready"}
	g.Eventually(func() []string { return seen.of(victim.Slot) }).WithTimeout(20 * time.Second).Should(Or(
		Equal(life), Equal(append([]string{"retiring"}, life...)), // the pool may notice first, and list it no more
	))
	members, err = target.Members(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(members).
		To(ContainElement(And(HaveField("Slot", victim.Slot), HaveField("Generation", 2), HaveField("PID", pid))))

	load := map[uint64]bool{}
	for range 20 {
		id := target.Number(1)
		load[id] = true
		s := target.Do(ctx, chaos.Task{ID: id, Name: "square"})
		g.Expect(s.Outcome).To(Equal(history.OK), s.Err)
	}
	s := target.Do(ctx, chaos.Task{ID: target.Number(1), Name: "primes"})
	g.Expect(s).
		To(And(HaveField("Outcome", history.Rejected), HaveField("Err", ContainSubstring("it knows sleep and square"))))
	load[busyWhileItRuns(t, target)] = true

	g.Expect(target.Close()).To(Succeed())
	g.Expect(target.Want()).To(BeZero())
	g.Expect(target.Members(ctx)).To(BeEmpty())
	for _, m := range members {
		p, err := procfs.Read(m.PID)
		g.Expect(err != nil || !p.Alive()).To(BeTrue(), "process %d is left", m.PID)
	}
	runs, torn, err := witness.ReadFile(target.Witness(), 0)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(torn).To(BeZero())
	probes := 0
	for _, r := range runs {
		if !load[r.Task] {
			probes++
		}
	}
	g.Expect(probes).To(BeNumerically(">=", 2*size), "the proof and a probe of each slot")
	g.Expect(len(runs)-probes).To(Equal(21), "20 squares and a sleep")
	g.Expect(target.Close()).To(Succeed(), "twice")
}

// busyWhileItRuns looks for a member that is busy while one task runs, whose number it returns.
func busyWhileItRuns(t *testing.T, target external) (id uint64) {
	t.Helper()
	g := NewWithT(t)
	busy := 0
	look := func() int {
		members, _ := target.Members(bound(t))
		busy = 0
		for _, m := range members {
			if m.Busy() {
				busy = m.PID
			}
		}
		return busy
	}
	g.Eventually(look).Should(BeZero(), "tasks of probes may still run")
	done := make(chan chaos.Settled, 1)
	id = target.Number(1)
	go func() {
		done <- target.Do(bound(t),
			chaos.Task{ID: id, Name: "sleep", Args: map[string]any{"duration": 500 * time.Millisecond}})
	}()
	g.Eventually(look).WithTimeout(10 * time.Second).WithPolling(5 * time.Millisecond).ShouldNot(BeZero())
	s := <-done
	g.Expect(s.Outcome).To(Equal(history.OK), s.Err)
	g.Expect(s.PID).To(Equal(busy))
	return id
}

// A task that is lost stays hung, the probe of a pool that answers nothing ends with its context, and Close ends it
// all.
func TestADeadPoolIsGivenUpOn(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	command := own.AsDriver(1, "")
	command.Timeouts.Stop = time.Second // it cannot answer in any time
	d, err := driver.StartTarget(bound(t), command, t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(syscall.Kill(d.Supervisor(), syscall.SIGSTOP)).To(Succeed())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	g.Expect(d.Do(ctx, chaos.Task{ID: d.Number(1), Name: "square"})).To(HaveField("Outcome", history.Hung))
	_, err = d.Probe(ctx, 0)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(d.Close()).To(MatchError(ContainSubstring("no answer")))
	_, err = procfs.Read(d.Supervisor())
	g.Expect(err).To(HaveOccurred(), "the driver is left")
}

// What a driver does wrong is in the history.
func TestADriversBreachesAreTold(t *testing.T) {
	g := NewWithT(t)
	script := filepath.Join(t.TempDir(), "driver.sh")
	g.Expect(os.WriteFile(script, []byte(`
read -r hello; echo '{"op":"hello","protocol":1,"name":"sh","version":"1","can":["pid","workers"]}'
sleep 3600 & pid=$!
read -r start; echo "{\"op\":\"ready\",\"pids\":[$pid]}"
while read -r line; do
	case $line in
	*submit*'"n":901}'*) for i in 1 2; do echo "{\"op\":\"result\",\"id\":901,\"value\":811801,\"pid\":$pid}"; done; echo rubbish ;;
	*submit*'"n":902}'*) echo "{\"op\":\"result\",\"id\":902,\"value\":813604,\"pid\":$$}" ;;
	*workers*) echo "{\"op\":\"workers\",\"pids\":[$pid]}" ;;
	*stop*) kill -9 $pid; echo '{"op":"stopped"}'; exit 0 ;;
	esac
done
`), 0o600)).To(Succeed())
	d, err := driver.StartTarget(bound(t), driver.Command{Argv: []string{"sh", script}, Size: 1}, t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	var seen events
	d.Watch(seen.add)
	g.Expect(d.Do(bound(t), chaos.Task{ID: 901, Name: "square"})).To(HaveField("Outcome", history.OK))
	g.Eventually(func() []string { return seen.of(-1) }).Should(Equal([]string{"answered-twice", "rejected"}))
	g.Expect(d.Do(bound(t), chaos.Task{ID: 902, Name: "square"})).To(HaveField("Outcome", history.OK))
	g.Eventually(func() []string { return seen.of(-1) }).
		Should(Equal([]string{"answered-twice", "rejected", "rejected"}))
	seen.mu.Lock()
	defer seen.mu.Unlock()
	g.Expect(seen.list[0].Task).To(BeEquivalentTo(901))
	g.Expect(seen.list[1].Err).To(ContainSubstring(`rubbish: "rubbish" is no JSON object`))
	g.Expect(seen.list[2].Err).
		To(MatchRegexp(`foreign pid: a task was answered by no worker \(by process \d+, the driver itself\)`))
	g.Expect(d.Close()).To(Succeed())
}

func TestADriverThatHidesWhoAnswersIsRefused(t *testing.T) {
	script := `read h; echo '{"op":"hello","protocol":1,"name":"sh","version":"1","can":[]}'; read s; echo '{"op":"ready","pids":[]}'; read x`
	_, err := driver.StartTarget(bound(t), driver.Command{Argv: []string{"sh", "-c", script}, Size: 1}, t.TempDir())
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("it does not tell which process answers")))
	NewWithT(t).Expect(strings.Contains(err.Error(), "sh")).To(BeTrue())
}

// A driver that computes the tasks itself and says that some sleeping process did is no pool.
func TestADriverWithoutAPoolIsRefused(t *testing.T) {
	script := `sleep 3600 & pid=$!
read h; echo '{"op":"hello","protocol":1,"name":"sh","version":"1","can":["pid"]}'; read s; echo "{\"op\":\"ready\",\"pids\":[$pid]}"
while read line; do id=${line#*\"id\":}; echo "{\"op\":\"result\",\"id\":${id%%,*},\"value\":9,\"pid\":$pid}"; done`
	_, err := driver.StartTarget(bound(t), driver.Command{Argv: []string{"sh", "-c", script}, Size: 1}, t.TempDir())
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("a task was answered while every worker was stopped")))
}

// lazy is a driver of a pool of one worker that is replaced only when something is submitted. Tasks 902 to 905 take
// until something is written to the fifo held; which have come is in the file submitted.
const lazy = `
mkfifo q held; exec 3<>q 4<>held
work() { sh -c 'while read id n <&3; do case $id in 90[2-5]) read line <&4 ;; esac; echo "{\"op\":\"result\",\"id\":$id,\"value\":$((n * n)),\"pid\":$$}"; done' & pid=$!; }
while read -r line; do
	id=${line#*\"id\":}; id=${id%%,*}; n=${line##*\"n\":}; n=${n%%\}*}
	case $line in
	*hello*) echo '{"op":"hello","protocol":1,"name":"lazy","version":"1","can":["pid","workers"]}' ;;
	*start*) work; echo "{\"op\":\"ready\",\"pids\":[$pid]}" ;;
	*submit*) readlink /proc/$pid/exe >/dev/null || work; echo "$id $n" >&3; echo $id >>submitted ;;
	*workers*) echo "{\"op\":\"workers\",\"pids\":[$pid]}" ;;
	*stop*) kill -9 $pid; echo '{"op":"stopped"}'; exit 0 ;;
	esac
done
`

// A pool that hangs must not be brought back to life by the harness, which would then report that nothing hung.
func TestProbesDoNotReviveAPoolThatLeavesItsLoadWaiting(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	dir := t.TempDir()
	d, err := driver.StartTarget(bound(t), driver.Command{Argv: []string{"sh", "-c", lazy}, Dir: dir, Size: 1}, dir)
	g.Expect(err).NotTo(HaveOccurred())
	defer d.Close()
	var seen events
	d.Watch(seen.add)
	g.Expect(d.Probe(bound(t), 0)).To(BeNumerically(">", 0))
	g.Expect(seen.of(-1)).NotTo(BeEmpty(), "every probing task is told")
	g.Expect(seen.of(-1)).To(HaveEach(BeElementOf("probed", "probe-answered")))
	before := len(seen.of(-1))

	load, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	members, err := d.Members(load)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Do(load, chaos.Task{ID: 901, Name: "square"}).Outcome).To(Equal(history.OK))
	outcomes := make(chan history.Outcome, 4)
	for id := uint64(902); id <= 905; id++ {
		go func() { outcomes <- d.Do(load, chaos.Task{ID: id, Name: "square"}).Outcome }()
	}
	g.Eventually(func() ([]byte, error) { return os.ReadFile(filepath.Join(dir, "submitted")) }).
		WithTimeout(20 * time.Second).
		Should(And(MatchRegexp(`(?m)^902$`), MatchRegexp(`(?m)^903$`), MatchRegexp(`(?m)^904$`),
			MatchRegexp(`(?m)^905$`)))
	g.Expect(syscall.Kill(members[0].PID, syscall.SIGKILL)).To(Succeed())
	soon, done := context.WithTimeout(load, 3*time.Second)
	defer done()
	_, err = d.Probe(soon, 0)
	g.Expect(err).To(MatchError(ContainSubstring("there is no process in slot 0")))
	g.Expect(seen.of(-1)).To(HaveLen(before), "probes are submissions")
	giveUp()
	for range 4 {
		g.Expect(<-outcomes).To(Equal(history.Hung))
	}
	g.Expect(os.WriteFile(filepath.Join(dir, "held"), []byte("\n\n\n\n"), 0)).To(Succeed())
	g.Expect(d.Probe(bound(t), 0)).To(BeNumerically(">", 0),
		"when nothing waits, the probe is the work that it waits for")
}
