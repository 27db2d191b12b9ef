package chaos_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/pool"
)

// needs skips where the host lacks a controller, and says which and what to do.
func needs(t *testing.T, c cgroup.Controller) {
	t.Helper()
	for _, can := range cgroup.Probe() {
		if can.Controller == c && can.Err != nil {
			t.Skip(can)
		}
	}
}

// Faults that exhaust something are confirmed by the kernel's own counters, or by what the victim saw, and only those end
// the victim that say so.
func TestResourceFaultsAreConfirmed(t *testing.T) {
	for _, c := range []struct {
		fault    chaos.Fault
		needs    cgroup.Controller
		config   pool.Config
		fatal    bool
		how      types.GomegaMatcher // the receipt's mechanism
		evidence types.GomegaMatcher
		noRace   bool // measures the program's own memory
	}{
		{chaos.OOM{Mechanism: "cgroup"}, cgroup.Memory, pool.Config{}, true, HavePrefix("cgroup v"), And(ending("signal SIGKILL"), HaveKeyWithValue("oom_kill", "0 → 1")), false},
		{chaos.OOM{}, cgroup.Memory, pool.Config{HardMemory: 96 * pool.MiB}, true, HavePrefix("cgroup v"), HaveKeyWithValue("oom_kill", "0 → 1"), false},
		{chaos.OOM{Mechanism: "rlimit"}, "", pool.Config{}, true, Equal("RLIMIT_DATA"), And(ending("exit 2"), HaveKeyWithValue("allocator", ContainSubstring("out of memory"))), true},
		{chaos.OOM{Mechanism: "rss"}, "", pool.Config{}, true, Equal("RSS"), ending("signal SIGKILL"), false},
		{chaos.Memory{For: 300 * time.Millisecond}, cgroup.Memory, pool.Config{HardMemory: 128 * pool.MiB}, false, HavePrefix("cgroup v"), HaveKeyWithValue("oom_kill", "0 → 0"), true},
		{chaos.FDs{}, "", pool.Config{}, false, BeEmpty(), HaveKeyWithValue("answer", HavePrefix("EMFILE after")), false},
		{chaos.PIDs{Limit: 4}, cgroup.Pids, pool.Config{}, false, HavePrefix("cgroup v"), HaveKeyWithValue("answer", HavePrefix("EAGAIN")), false},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			if c.needs != "" {
				needs(t, c.needs)
			}
			if raceEnabled && c.noRace {
				t.Skip("a worker without the race detector is needed: its shadow memory does not fit the limit")
			}
			g := NewWithT(t)
			c.config.Size = 2
			p := start(t, c.config)
			rec := strike(t, p, once(c.fault))
			settled := rec.faults("settled")
			g.Expect(settled).To(HaveLen(1))
			g.Expect(settled[0].Outcome).To(Equal("confirmed"), "%s %v", settled[0].Err, settled[0].Receipt)
			g.Expect(settled[0].Receipt.Mechanism).To(c.how)
			g.Expect(settled[0].Receipt.Evidence).To(c.evidence)
			if _, mayDie := c.fault.(chaos.PIDs); !mayDie { // a runtime that is refused a thread may not live on
				g.Expect(settled[0].Fatal).To(Equal(c.fatal))
			}
			g.Expect(rec.faults("heal-failed")).To(BeEmpty())
		})
	}
}

// The throttled victim needs something to do.
func TestThrottleIsConfirmedByTheKernelsCount(t *testing.T) {
	needs(t, cgroup.CPU)
	g := NewWithT(t)
	var rec tape
	run := chaos.Run{
		Target: start(t, pool.Config{Size: 2}), Open: rec.open, Steady: 50 * time.Millisecond,
		Load:  &chaos.Load{Task: "hash", Args: map[string]any{"rounds": 200_000}, Concurrency: 4},
		Chaos: []chaos.Nemesis{once(chaos.CPU{Quota: 0.05, For: time.Second})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	settled := rec.faults("settled")
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal("confirmed"), settled[0].Err)
	g.Expect(settled[0].Receipt.Tier).To(Equal("cgroup nr_throttled"))
	g.Expect(rec.faults("healed")).To(HaveLen(1))
}

// A pool in this very process cannot lose its parent: that is refused by name.
func TestSupervisorInThisProcessIsRefused(t *testing.T) {
	g := NewWithT(t)
	settled := strike(t, start(t, pool.Config{Size: 1}), once(chaos.Supervisor{})).faults("settled")
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal("refused"))
	g.Expect(settled[0].Err).To(ContainSubstring("lose its parent"))
}
