package faults_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// concluded injects one fault into a pool with that config, whose members look is given every few milliseconds
// meanwhile, and returns what the record says of the fault and of members that ended.
func concluded(t *testing.T, cfg pool.Config, fault chaos.Fault,
	look func([]chaos.Member),
) (f history.Fault, ended []history.MemberEvent) {
	t.Helper()
	g := NewWithT(t)
	p, err := own.Start(t.Context(), cfg, t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Close()
	file := filepath.Join(t.TempDir(), "history.jsonl")
	run := chaos.Run{
		Target: p, Open: chaos.Create(file), Steady: 50 * time.Millisecond, Chaos: []chaos.Nemesis{{Fault: fault}},
		Load: &chaos.Load{Task: "sleep", Args: map[string]any{"duration": 3 * time.Millisecond}, Concurrency: 8},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run.Do(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case err := <-done:
			g.Expect(err).NotTo(HaveOccurred())
			over = true
		case <-tick.C:
			members, _ := p.Members(ctx)
			look(members)
		}
	}
	r, err := history.Open(file)
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	for e, err := range r.Events() {
		g.Expect(err).NotTo(HaveOccurred())
		if e.Fault != nil && e.Fault.Op == history.Concluded {
			f = *e.Fault
		}
		if e.Member != nil && e.Member.Op == history.Exited {
			ended = append(ended, *e.Member)
		}
	}
	return f, ended
}

// All members stand still at one moment, and go on as the same processes.
func TestFreezeStopsAllMembersAtOnce(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	still := 0
	f, ended := concluded(t, pool.Config{Size: 3}, faults.Freeze{For: 300 * time.Millisecond},
		func(members []chaos.Member) {
			n := 0
			for _, m := range members {
				if stopped, err := procfs.Stopped(m.PID); err == nil && stopped {
					n++
				}
			}
			still = max(still, n)
		})
	g.Expect(still).To(Equal(3), "as seen by somebody else")
	g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
	g.Expect(f.Victim).To(BeNil())
	g.Expect(f.Receipt.PIDs).To(HaveLen(3))
	g.Expect(f.Receipt.Evidence).
		To(And(HaveKeyWithValue("at the beginning", "T of 3"), HaveKeyWithValue("at the end", "T of 3, 0 gone")))
	g.Expect(ended).To(BeEmpty())
}

// A pool that takes them for hung replaces them all, which is the freeze's doing: it ends with the last of them.
func TestFreezeEndsWithMembersThatAreTakenForHung(t *testing.T) {
	g := NewWithT(t)
	f, ended := concluded(t, pool.Config{Size: 2, Heartbeat: 100 * time.Millisecond}, faults.Freeze{For: time.Minute},
		func([]chaos.Member) {})
	g.Expect(f.Outcome).To(Equal(history.Confirmed), f.Err)
	g.Expect(f.Receipt.Evidence).To(HaveKeyWithValue("at the end", "T of 0, 2 gone"))
	for _, m := range ended {
		g.Expect(faults.Freeze{}.Traits().Ends).To(ContainElement(m.Reason))
	}
	g.Expect(ended).To(HaveLen(2))
}
