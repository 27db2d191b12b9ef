package pool

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// answering is a worker that answers each ping at once.
type answering struct {
	process.Process
	to *pong
}

func (a answering) Control(m wire.Control) { a.to.last = m.Arg }

// pong is its record.
type pong struct {
	process.Record
	last uint32
}

func (p *pong) Pong() (uint32, bool) { return p.last, true }

// The keeper looks at all workers when one is to be pinged. Of a thousand that came up one after the other each would make it look at the
// thousand, and a pool without tasks would use up a processor.
func TestAFewLooksPingAThousandWorkers(t *testing.T) {
	g := NewWithT(t)
	const workers, every = 1000, time.Second
	began := time.Now()
	st := &state{Pool: &Pool{cfg: Config{Heartbeat: 4 * every}}}
	var all []*worker
	for i := range workers {
		answers := &pong{}
		w := &worker{slot: &slot{}, proc: answering{to: answers}, board: answers}
		w.pingedAt = began.Add(time.Duration(i) * every / workers)
		all = append(all, w)
	}
	looks, most := 0, time.Duration(0)
	for now := began.Add(every); now.Before(began.Add(11 * every)); looks++ {
		next := time.Time{}
		for _, w := range all {
			most = max(most, now.Sub(w.pingedAt))
			next = earliest2(next, st.lookAtPulse(w, now))
		}
		g.Expect(next).To(BeTemporally(">", now))
		now = next
	}
	g.Expect(looks).To(BeNumerically("<=", 10*5))
	g.Expect(most).To(BeNumerically("<=", every), "each is pinged as often as before")
}
