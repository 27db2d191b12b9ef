package chaos_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/pool"
)

// needs skips where the host lacks a controller, and says which and what to do. RESPAWN_CGROUP=1 or 2 says that it must
// be there, on that version. It returns the mechanism that receipts are to name.
func needs(t *testing.T, c cgroup.Controller) (mechanism string) {
	t.Helper()
	for _, can := range cgroup.Probe() {
		if can.Controller != c {
			continue
		}
		want := os.Getenv("RESPAWN_CGROUP")
		switch {
		case want != "" && (can.Err != nil || want != strconv.Itoa(can.Version)):
			t.Fatalf("RESPAWN_CGROUP=%s: %v", want, can)
		case can.Err != nil:
			t.Skip(can)
		}
		mechanism = fmt.Sprintf("cgroup v%d", can.Version)
	}
	return mechanism
}

// Faults that exhaust something are confirmed by the kernel's own counters, or by what the victim saw, and only those
// end the victim that say so.
func TestResourceFaultsAreConfirmed(t *testing.T) {
	long(t)
	for _, c := range []struct {
		fault    chaos.Fault
		needs    cgroup.Controller
		config   pool.Config
		how      string              // the receipt's mechanism, where it is not a cgroup
		reported types.GomegaMatcher // the kind of the victim's end, as the pool tells; nil for one that lives
		evidence types.GomegaMatcher
		noRace   bool // measures the program's own memory
	}{
		{
			faults.OOM{Mechanism: "cgroup"},
			cgroup.Memory,
			pool.Config{},
			"", Equal("killed"),
			And(ending("signal SIGKILL"), HaveKeyWithValue("oom_kill", "0 → 1")), false,
		},
		{
			faults.OOM{},
			cgroup.Memory,
			pool.Config{HardMemory: 96 * pool.MiB},
			"", Equal("oom"),
			HaveKeyWithValue("oom_kill", "0 → 1"), false,
		},
		{
			faults.OOM{Mechanism: "rlimit"},
			"",
			pool.Config{},
			"RLIMIT_DATA", BeElementOf("oom", "crashed"),
			And(ending("exit 2"),
				Or(HaveKeyWithValue("allocator", ContainSubstring("out of memory")), HaveKey("runtime"))), true,
		},
		{
			faults.Memory{For: 300 * time.Millisecond},
			cgroup.Memory,
			pool.Config{HardMemory: 128 * pool.MiB},
			"", nil,
			HaveKeyWithValue("oom_kill", "0 → 0"), true,
		},
		{faults.FDs{}, "", pool.Config{}, "", nil, HaveKeyWithValue("answer", HavePrefix("EMFILE after")), false},
		{
			faults.PIDs{Limit: 4},
			cgroup.Pids,
			pool.Config{},
			"", nil, HaveKeyWithValue("answer", HavePrefix("EAGAIN")), false,
		},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			if c.needs != "" {
				c.how = needs(t, c.needs)
			}
			if raceEnabled && c.noRace {
				t.Skip("a worker without the race detector is needed: its shadow memory does not fit the limit")
			}
			g := NewWithT(t)
			c.config.Size = 2
			p := start(t, c.config)
			rec := strike(t, p, once(c.fault))
			settled := rec.faults(history.Concluded)
			g.Expect(settled).To(HaveLen(1))
			g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), "%s %v", settled[0].Err, settled[0].Receipt)
			g.Expect(settled[0].Receipt.Mechanism).To(Equal(c.how))
			g.Expect(settled[0].Receipt.Evidence).To(c.evidence)
			if _, mayDie := c.fault.(faults.PIDs); !mayDie { // a runtime that is refused a thread may not live on
				g.Expect(settled[0].Fatal).To(Equal(c.reported != nil))
			}
			if c.reported != nil {
				g.Expect(rec.exitOf(settled[0].Victim.PID).Kind).To(c.reported)
			}
			g.Expect(rec.faults(history.HealFailed)).To(BeEmpty())
		})
	}
}

// The throttled victim needs something to do.
func TestThrottleIsConfirmedByTheKernelsCount(t *testing.T) {
	long(t)
	how := needs(t, cgroup.CPU)
	g := NewWithT(t)
	var rec tape
	run := chaos.Run{
		Target: start(t, pool.Config{Size: 2}), Open: rec.open, Steady: 50 * time.Millisecond,
		Load:  &chaos.Load{Task: "hash", Args: map[string]any{"rounds": 200_000}, Concurrency: 4},
		Chaos: []chaos.Nemesis{once(faults.CPU{Quota: 0.05, For: time.Second})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	settled := rec.faults(history.Concluded)
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), settled[0].Err)
	g.Expect(settled[0].Receipt.Tier).To(Equal("cgroup nr_throttled"))
	g.Expect(settled[0].Receipt.Mechanism).To(Equal(how))
	g.Expect(rec.faults(history.Healed)).To(HaveLen(1))
}

// A pool in this very process cannot lose its parent: that is refused by name.
func TestSupervisorInThisProcessIsRefused(t *testing.T) {
	g := NewWithT(t)
	settled := strike(t, start(t, pool.Config{Size: 1}), once(faults.Supervisor{})).faults(history.Concluded)
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal(history.Refused))
	g.Expect(settled[0].Err).To(ContainSubstring("lose its parent"))
}
