package chaos_test

import (
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
)

// A process that boots when the faults are over looks like one that was left behind, until it is a member: that is
// waited for, as long as the target has to settle. That the member was missing is told all the same; so is a process
// that never becomes one.
func TestTheLastLookWaitsForMembersOnTheirWay(t *testing.T) {
	long(t)
	for name, c := range map[string]struct {
		takes, settle time.Duration
		others        int
	}{
		"on its way": {1500 * time.Millisecond, time.Minute, 0},
		"never":      {time.Hour, 1500 * time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			var since atomic.Pointer[time.Time] // when the stage verify began
			rec := tape{seen: func(e history.Event) {
				if now := time.Now(); e.Stage != nil && e.Stage.Name == history.Verify {
					since.Store(&now)
				}
			}}
			p := sleepers(t, 2)
			p.listing = func(_ int, list []chaos.Member) []chaos.Member {
				if began := since.Load(); began != nil && time.Since(*began) < c.takes {
					return list[:1]
				}
				return list
			}
			run := chaos.Run{Target: p, Open: rec.open, Steady: time.Nanosecond, Settle: c.settle}
			g.Expect(run.Do(t.Context())).To(Succeed())
			var last *history.Sample
			for _, e := range rec.events {
				if e.Stage != nil && e.Stage.Name == history.Stop {
					break
				}
				if e.Sample != nil {
					last = e.Sample
				}
			}
			g.Expect(last.Ready).To(Equal(1))
			g.Expect(last.Others).To(Equal(c.others))
		})
	}
}

// Where members are started all the time, as spares are on a busy host, each look at the processes finds one that was
// not there when the members were listed.
func TestAMemberThatIsStartedBetweenListingAndLookIsNotLeftBehind(t *testing.T) {
	g, p := NewWithT(t), sleepers(t, 1)
	var rec tape
	var verifying atomic.Bool
	p.listing = func(_ int, list []chaos.Member) []chaos.Member {
		if verifying.Load() {
			p.list = append(p.list,
				chaos.Member{Slot: -1, PID: sleeper(t, p.marker).Process.Pid, State: chaos.Starting})
		}
		return list
	}
	run := chaos.Run{
		Target: spared{p}, Open: rec.open, Steady: 1, Settle: time.Second, Sample: time.Hour,
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "CONT"})},
	}
	run.Progress = func(e history.Event) {
		if e.Stage != nil && e.Stage.Name == history.Verify {
			verifying.Store(true)
		}
	}
	_ = run.Do(t.Context())
	var last *history.Sample
	for _, e := range rec.events {
		if e.Sample != nil && e.Sample.Want > 0 {
			last = e.Sample
		}
	}
	g.Expect(last.Others).To(BeZero())
}

// spared is procs of which one is to be there.
type spared struct{ *procs }

func (spared) Want() int { return 1 }
