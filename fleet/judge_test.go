package fleet

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// toPublish are the tasks that the judge wants stored, by number, and in the stream of which epoch.
func toPublish(j *judge) map[uint64]publishing {
	all := map[uint64]publishing{}
	for _, e := range j.take() {
		if e.Kind == effectPublish {
			all[e.Task] = publishing{e.Task, e.Try, e.Epoch}
		}
	}
	return all
}

// TestWhatAStreamTookWithItIsStoredInTheNext has a broker come back with another stream. One task was stored in the
// first, of one the word that it was is late, and one is at a node.
func TestWhatAStreamTookWithItIsStoredInTheNext(t *testing.T) {
	g := NewWithT(t)
	j := newJudge("owner", limits{}, noMutant)
	j.stream(0, "first")
	for no := range uint64(3) {
		j.submit(0, no+1, pool.AtLeastOnce)
	}
	first := toPublish(j)
	g.Expect(first).To(Equal(map[uint64]publishing{1: {1, 1, "first"}, 2: {2, 1, "first"}, 3: {3, 1, "first"}}))
	j.published(0, first[1], 1)
	j.published(0, first[3], 3)
	j.hear(time.Millisecond, report{Node: "node", Kind: reportHand, Items: []item{{No: 3, Seq: 3, State: running}}})

	j.stream(time.Second, "first")
	g.Expect(toPublish(j)).To(BeEmpty(), "it is the same")
	j.stream(time.Second, "second")
	g.Expect(toPublish(j)).To(Equal(map[uint64]publishing{1: {1, 2, "second"}, 2: {2, 2, "second"}}),
		"the third is at a node")
	j.published(time.Second, first[2], 2)
	j.cancel(time.Second, 2, nil)
	j.published(time.Second, first[2], 2)
	for _, e := range j.take() {
		g.Expect(e.Kind).NotTo(Equal(effectDelete), "number %d of the second stream is somebody else's", e.Seq)
	}

	// it has let go of what it had
	j.hear(2*time.Second, report{Node: "node", Kind: reportPong, Ping: uint64(time.Second)})
	j.tick(3 * time.Second)
	g.Expect(toPublish(j)).To(Equal(map[uint64]publishing{3: {3, 2, "second"}}))
}

// settledBy is what the judge wants tasks settled with, by number.
func settledBy(j *judge) map[uint64]error {
	all := map[uint64]error{}
	for _, e := range j.take() {
		if e.Kind == effectSettle {
			all[e.Task] = e.Outcome.Err
		}
	}
	return all
}

// TestWhatAnOwnerCountsIsWhatItHadToDo has a broker lose a task, a node tell results that come too late or twice, and
// nobody know a task.
func TestWhatAnOwnerCountsIsWhatItHadToDo(t *testing.T) {
	g := NewWithT(t)
	j := newJudge("owner", limits{}, noMutant)
	j.stream(0, "first")
	for no := range uint64(5) {
		j.submit(0, no+1, pool.AtLeastOnce)
		j.published(0, publishing{no + 1, 1, "first"}, no+1)
	}
	result := func(node string, no, run uint64) {
		j.hear(time.Second, report{
			Node: node, Kind: reportResult, Items: []item{{No: no, Seq: no, State: done}}, Run: run,
			Outcome: &pool.Reply{},
		})
	}
	j.stored(time.Second, 1, 1, true, false)
	g.Expect(j.stats).To(Equal(Stats{}), "it is there")
	j.stored(time.Second, 1, 1, false, false)
	g.Expect(j.stats).To(Equal(Stats{Repaired: 1}))

	result("a", 2, 7)
	g.Expect(j.stats.Stale).To(BeZero())
	result("a", 2, 7)
	g.Expect(j.stats.Stale).To(BeZero(), "the same: its node has not heard that it was taken")
	result("a", 2, 8)
	result("b", 2, 7)
	result("b", 2, 7)
	g.Expect(j.stats.Stale).To(BeEquivalentTo(2), "of another run, and of another node, which says it twice")

	j.stream(time.Second, "second")
	g.Expect(j.stats.Repaired).To(BeEquivalentTo(5), "and the four that have not settled")
	j.hear(time.Second, report{
		Node: "a", Kind: reportHand, Items: []item{{No: 3, Seq: 3, State: running}, {No: 4, Seq: 4, State: asking}},
	})
	j.cancel(time.Second, 3, nil)
	j.hear(time.Second, report{Node: "a", Kind: reportPong, Ping: uint64(time.Second), Items: []item{{No: 3}, {No: 4}}})
	g.Expect(j.nodeInfos(time.Second)[0].Held).To(Equal(1))
	g.Expect(j.nodeInfos(time.Second)[0].Listed).To(Equal(2), "with what it does not know yet to be cancelled")
	g.Expect(j.stats.Abandoned).To(BeZero(), "nobody has given up what was cancelled")
}

// TestATaskThatNoNodeKnowsYetWaitsForOneThatMay has nodes of two programs. Whatever the old ones give back is unknown
// only once no other has been there for half a minute, however old the task is.
func TestATaskThatNoNodeKnowsYetWaitsForOneThatMay(t *testing.T) {
	const unknown = 30 * time.Second
	hello := func(j *judge, at time.Duration, node, program string) {
		j.hear(at, report{Node: node, Kind: reportHello, Name: node, Host: "host", Program: program})
	}
	giveBack := func(j *judge, at time.Duration, node string) {
		j.hear(at,
			report{Node: node, Kind: reportReturn, Items: []item{{No: 1, Seq: j.tasks[1].seq}}, Misfit: unknownTask})
	}
	again := func(j *judge, at time.Duration) { // it is stored again
		j.publish(j.tasks[1])
		j.published(at, publishing{1, j.tasks[1].try, j.tasks[1].epoch}, j.tasks[1].seq+10)
	}
	begin := func() *judge {
		j := newJudge("owner", limits{}, noMutant)
		j.submit(0, 1, pool.AtLeastOnce)
		j.published(0, publishing{1, 1, ""}, 1)
		return j
	}
	t.Run("nobody else", func(t *testing.T) {
		g := NewWithT(t)
		j := begin()
		at := time.Hour // in a long queue
		hello(j, at, "old", "1")
		hello(j, at, "other", "1")
		giveBack(j, at, "old")
		g.Expect(settledBy(j)).To(BeEmpty(), "it has only been looked for since now")
		again(j, at+unknown)
		giveBack(j, at+unknown+time.Second, "other")
		g.Expect(settledBy(j)).To(HaveKeyWithValue(BeEquivalentTo(1), MatchError(pool.ErrUnknownTask)))
		g.Expect(j.stats.Abandoned).To(BeEquivalentTo(1))
	})
	t.Run("somebody who may", func(t *testing.T) {
		g := NewWithT(t)
		j := begin()
		hello(j, 0, "old", "1")
		giveBack(j, 0, "old")
		at := unknown - time.Second
		again(j, at)
		giveBack(j, at, "old")
		g.Expect(j.tasks[1].due).To(BeNumerically(">", at))
		hello(j, at, "new", "2")
		g.Expect(j.tasks[1].due).To(Equal(at), "it is offered at once")
		for range 20 { // it comes to the old one, by chance
			at += 10 * time.Second
			again(j, at)
			hello(j, at, "new", "2")
			giveBack(j, at, "old")
			g.Expect(settledBy(j)).To(BeEmpty())
			g.Expect(j.tasks[1].due - at).To(BeNumerically("<=", returnFew))
		}
		j.hear(at, report{Node: "new", Kind: reportBye})
		again(j, at)
		giveBack(j, at+time.Second, "old")
		g.Expect(settledBy(j)).To(BeEmpty(), "the new one was there just now")
		again(j, at)
		giveBack(j, at+unknown+2*time.Second, "old")
		g.Expect(settledBy(j)).To(HaveLen(1))
	})
}
