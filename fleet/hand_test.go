package fleet

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// What an owner that was killed leaves at a node, results that nobody takes among it, waits there for a minute. Others
// have their turn.
func TestWhatAKilledOwnerLeavesBehindKeepsNoOtherTaskAway(t *testing.T) {
	g := NewWithT(t)
	h := newHand("n", "node", "host", 1, limits{}, noMutant)
	now := time.Hour
	tick := func(until time.Duration) {
		for ; now < until; now += 100 * time.Millisecond {
			h.tick(now)
			h.take()
		}
	}
	h.obey(now, order{Owner: "killed", Kind: orderPing})
	for no := uint64(1); no <= handFactor; no++ {
		h.deliver(now, delivery{envelope: envelope{Owner: "killed", No: no}, Seq: no, Count: 1})
		if k := (taskKey{"killed", no}); h.tasks[k].state == running {
			h.finished(now, k, &pool.Reply{}, 100)
		}
	}
	g.Expect(h.room()).To(BeZero(), "it is heard still, and is to take its results first")
	tick(now + heardLimit + time.Second)
	g.Expect(h.tasks).To(HaveLen(handFactor))
	g.Expect(h.room()).To(Equal(1))

	for no := uint64(100); no < 100+2*silentTasks; no++ {
		h.deliver(now, delivery{envelope: envelope{Owner: "killed", No: no}, Seq: no, Count: 1})
	}
	tick(now + time.Second)
	g.Expect(h.room()).To(BeNumerically("<=", 0), "not without bounds")
}
