package chaos_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestWhatAPoolWarnsOfIsInTheRecordOnce(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1, Backoff: pool.Backoff{Base: time.Millisecond, Threshold: 100}})
	g.Expect(p.SetBoot(3, 0)).To(Succeed())
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Witness: p.Witness(), Close: p.Close, Settle: 20 * time.Second, Steady: 1,
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "KILL"})},
	}
	var warned []string
	run.Progress = func(e history.Event) {
		if e.Note != nil {
			warned = append(warned, e.Note.Text)
		}
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(warned).To(ConsistOf(And(HavePrefix("the pool warns: a worker did not come up, worker: Worker-"),
		ContainSubstring("err: "))))
}
