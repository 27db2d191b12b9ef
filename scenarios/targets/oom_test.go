package targets_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/drivers"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// A pool that knows nothing of chaos, and whose workers cannot be told to allocate, meets the kernel's own OOM killer:
// the wait status and the counter say so, the one victim is gone, and the pool replaces it.
func TestOOMOfAPoolThatIsNotOurs(t *testing.T) {
	takes.Seconds(t)
	needsMemory(t)
	for name, command := range map[string]driver.Command{
		"respawn":         own.AsDriver(2, ""),
		"multiprocessing": {Argv: drivers.All()[0].Argv("../drivers"), Size: 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			d, err := driver.StartTarget(bound(t), command, t.TempDir())
			var missing *foreign.NotInstalledError
			if errors.As(err, &missing) {
				t.Skip(missing)
			}
			g.Expect(err).NotTo(HaveOccurred())
			defer d.Close()
			settled := strikeOnce(t, d, faults.OOM{})
			g.Expect(settled).To(HaveLen(1))
			g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), "%s %v", settled[0].Err, settled[0].Receipt)
			g.Expect(settled[0].Fatal).To(BeTrue())
			g.Expect(settled[0].Receipt.Mechanism).To(HavePrefix("cgroup v"))
			g.Expect(settled[0].Receipt.Evidence).
				To(And(HaveKeyWithValue("oom_kill", HavePrefix("0 → ")), HaveKey("hog")))
			if kernel, ok := settled[0].Receipt.Evidence["kernel"]; ok {
				g.Expect(kernel).To(Equal("signal SIGKILL"))
			}
			g.Eventually(func() ([]chaos.Member, error) { return d.Members(bound(t)) }).
				WithTimeout(20 * time.Second).Should(And(
				HaveLen(2), Not(ContainElement(HaveField("PID", settled[0].Victim.PID)))))
		})
	}
}

// Under pressure that is to leave it alive, such a worker goes on answering.
func TestMemoryOfAPoolThatIsNotOurs(t *testing.T) {
	takes.Seconds(t)
	needsMemory(t)
	g := NewWithT(t)
	d, err := driver.StartTarget(bound(t), own.AsDriver(2, ""), t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	defer d.Close()
	settled := strikeOnce(t, d, faults.Memory{For: 100 * time.Millisecond})
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Fatal).To(BeFalse())
	g.Expect(settled[0].Receipt.Evidence).To(And(HaveKeyWithValue("oom_kill", "0 → 0"), HaveKey("hog")))
	g.Expect(d.Probe(bound(t), settled[0].Victim.Slot)).To(Equal(settled[0].Victim.PID))
}

func needsMemory(t *testing.T) {
	t.Helper()
	for _, can := range cgroup.Probe() {
		if can.Controller == cgroup.Memory && can.Err != nil {
			t.Skip(can)
		}
	}
}

// strikeOnce injects one fault, and returns how it settled.
func strikeOnce(t *testing.T, target chaos.Target, fault chaos.Fault) (settled []history.Fault) {
	t.Helper()
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "history.jsonl")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := chaos.Run{
		Target: target, Open: chaos.Create(file), Settle: time.Nanosecond, Steady: time.Nanosecond,
		Chaos: []chaos.Nemesis{{Fault: fault}},
	}
	g.Expect(run.Do(ctx)).To(Succeed())
	r, err := history.Open(file)
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	for e, err := range r.Events() {
		g.Expect(err).NotTo(HaveOccurred())
		if e.Fault != nil && e.Fault.Op == history.Concluded {
			settled = append(settled, *e.Fault)
		}
	}
	return settled
}
