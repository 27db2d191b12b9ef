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

// TestWhatAStreamTookWithItIsStoredInTheNext has a broker come back with another stream. One task was stored in the first, of one the word
// that it was is late, and one is at a node.
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
	g.Expect(toPublish(j)).To(Equal(map[uint64]publishing{1: {1, 2, "second"}, 2: {2, 2, "second"}}), "the third is at a node")
	j.published(time.Second, first[2], 2)
	j.cancel(time.Second, 2, nil)
	j.published(time.Second, first[2], 2)
	for _, e := range j.take() {
		g.Expect(e.Kind).NotTo(Equal(effectDelete), "number %d of the second stream is somebody else's", e.Seq)
	}

	j.hear(2*time.Second, report{Node: "node", Kind: reportPong, Ping: uint64(time.Second)}) // it has let go of what it had
	j.tick(3 * time.Second)
	g.Expect(toPublish(j)).To(Equal(map[uint64]publishing{3: {3, 2, "second"}}))
}
