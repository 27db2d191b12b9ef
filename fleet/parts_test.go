package fleet

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A network that loses, doubles and reorders what is asked and what is answered, and peers of which one is silent.
func TestLargePayloadsArriveWholeOverABadNetwork(t *testing.T) {
	for seed := range uint64(200) {
		g := NewWithT(t)
		dice := rand.New(rand.NewPCG(seed, 1))
		payloads := map[gatherKey][]byte{}
		var air []func(now time.Duration)
		var ga *gatherer
		most := 0
		ga = newGatherer(1000, func(k gatherKey, p piece) {
			most = max(most, ga.flying)
			for range dice.IntN(3) { // none, one or two arrive
				air = append(air, func(now time.Duration) {
					if k.who != "silent" {
						answer := p.of(payloads[k], 700) // which carries less
						air = append(air, func(now time.Duration) { ga.come(now, k, answer) })
					}
				})
			}
		})
		got := map[gatherKey][]byte{}
		for i := range 8 {
			k := gatherKey{[]string{"a", "b", "c", "silent"}[i%4], uint64(i), 0}
			data := make([]byte, 1+dice.IntN(20_000))
			for j := range data {
				data[j] = byte(dice.Uint32())
			}
			payloads[k] = data
			ga.want(0, k, len(data), func(b []byte) {
				g.Expect(got).NotTo(HaveKey(k), "seed %d: twice", seed)
				got[k] = b
			})
		}
		now := time.Duration(0)
		for ; len(got) < 6 && now < time.Hour; now += 100 * time.Millisecond {
			for len(air) > 0 {
				i := dice.IntN(len(air))
				do := air[i]
				air = slices.Delete(air, i, i+1)
				do(now)
			}
			ga.tick(now)
		}
		g.Expect(got).To(HaveLen(6), "seed %d: whatever one does that is silent", seed)
		for k, b := range got {
			g.Expect(bytes.Equal(b, payloads[k])).To(BeTrue(), "seed %d", seed)
		}
		g.Expect(most).To(BeNumerically("<=", maxFlying), "seed %d", seed)
		ga.drop(now, func(gatherKey) bool { return true })
		g.Expect(ga.list).To(BeEmpty())
		g.Expect(ga.from).To(BeEmpty(), "seed %d", seed)
		g.Expect(ga.flying).To(BeZero(), "seed %d", seed)
	}
}

func TestPayloadsAreGatheredInTurnWhileTheyAreLarge(t *testing.T) {
	g := NewWithT(t)
	asked := map[string]int{}
	ga := newGatherer(maxPart, func(k gatherKey, _ piece) { asked[k.who]++ })
	for _, who := range []string{"first", "second"} {
		ga.want(0, gatherKey{who: who}, 2*maxGather, func([]byte) {})
	}
	g.Expect(asked).To(Equal(map[string]int{"first": fromOne}),
		"one is always gathered, however large, and no more than there is room for")
	ga.tick(2 * askPart)
	g.Expect(asked["second"]).To(Equal(fromOne), "the first does not answer, and keeps nobody else waiting")
	ga.come(3*askPart, gatherKey{who: "first"}, &piece{})
	g.Expect(ga.list).To(HaveLen(1), "it is not there any more")
}
