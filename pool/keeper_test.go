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

// The keeper looks at all workers when one is to be pinged. Of a thousand that came up one after the other each would
// make it look at the thousand, and a pool without tasks would use up a processor.
func TestAFewLooksPingAThousandWorkersAndNotAllAtOnce(t *testing.T) {
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
	looks, most, crowd := 0, time.Duration(0), 0
	for now := began.Add(every); now.Before(began.Add(11 * every)); looks++ {
		next, pinged := time.Time{}, 0
		for _, w := range all {
			most = max(most, now.Sub(w.pingedAt))
			next = earliest2(next, st.lookAtPulse(w, now))
			if w.pingedAt.Equal(now) {
				pinged++
			}
		}
		crowd = max(crowd, pinged)
		g.Expect(next).To(BeTemporally(">", now))
		now = next
	}
	g.Expect(looks).To(BeNumerically("<=", 10*40))
	g.Expect(crowd).To(BeNumerically("<=", workers/20), "who answer at once")
	g.Expect(most).To(BeNumerically("<=", every), "each is pinged as often as before")
}

// Under load a fifth worker comes to tiny tasks that four are enough for, when one of these got no processor. It would
// stay there for ever.
func TestAWorkerTooManyForTinyTasksRestsWhenItHasAnswered(t *testing.T) {
	g := NewWithT(t)
	st := &state{Pool: &Pool{}, pacer: pacer{cost: tinyTask - 1}}
	st.queue.live, st.takenAt = 1000, wire.Now()
	for range enoughNear {
		w := &worker{}
		st.working = append(st.working, w)
		w.work = len(st.working)
	}
	last := st.working[len(st.working)-1]
	g.Expect(st.share(last)).To(BeNumerically(">", 0), "one of as many as are enough")
	g.Expect(st.pacer.deferring).To(BeFalse())
	st.working = append(st.working, &worker{})
	g.Expect(st.share(last)).To(BeZero())
	g.Expect(st.pacer.deferring).To(BeTrue(), "the keeper looks whether the others go on")
	st.slow++
	g.Expect(st.share(last)).To(BeNumerically(">", 0), "another is not about to answer")
}

func TestASilentWorkerIsSlowSoonIfNoOtherAnswers(t *testing.T) {
	g := NewWithT(t)
	now := time.Now()
	for _, c := range []struct {
		silent, answered time.Duration
		slow             bool
	}{
		{longSilence - 1, time.Hour, false},
		{longSilence, longSilence, true},
		{longSilence, longSilence - 1, false},
		{lostSilence - 1, 0, false},
		{lostSilence, 0, true},
	} {
		st := &state{Pool: &Pool{}, pacer: pacer{cost: tinyTask - 1}}
		st.answered = now.Add(-c.answered)
		for range enoughNear {
			st.working = append(st.working, &worker{})
			st.working[0].headSince = now.Add(-c.silent)
		}
		for _, w := range st.working[1:] {
			w.headSince = now
		}
		g.Expect(st.findSlow(now)).To(Equal(c.slow), "%+v", c)
	}
}
