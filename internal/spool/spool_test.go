package spool_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/spool"
)

func TestAReceiverThatIsStuckHoldsUpNobodyAndHearsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, free := NewWithT(t), make(chan struct{})
		var got []int
		var lost int
		s := spool.Spool[int]{Most: 3, Deliver: func(batch []int, dropped int) {
			<-free
			got, lost = append(got, batch...), lost+dropped
		}}
		s.Add([]int{1}, []int{2})
		synctest.Wait() // these are with the receiver
		s.Add([]int{3, 4}, []int{5})
		s.Add([]int{6})
		s.Add(nil)
		start := time.Now()
		s.Wait(time.Second)
		g.Expect(time.Since(start)).To(Equal(time.Second))

		close(free)
		s.Wait(time.Hour)
		g.Expect(time.Since(start)).To(Equal(time.Second))
		g.Expect(got).To(Equal([]int{1, 2, 3, 4, 5}))
		g.Expect(lost).To(Equal(1))
	})
}

func TestWhatComesWhileOthersAreDeliveredKeepsItsOrder(t *testing.T) {
	g := NewWithT(t)
	var got []int
	s := spool.Spool[int]{Most: 1 << 20, Deliver: func(batch []int, _ int) { got = append(got, batch...) }}
	s.Wait(0) // nothing to wait for
	for i := range 10_000 {
		s.Add([]int{i})
	}
	s.Wait(time.Minute)
	g.Expect(got).To(HaveLen(10_000))
	g.Expect(slices.IsSorted(got)).To(BeTrue())
}
