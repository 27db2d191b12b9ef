package chaos

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/takes"
)

func TestNoMomentIsToldAsAnEarlierOne(t *testing.T) {
	g := gomega.NewWithT(t)
	for range 50_000 {
		before := time.Duration(witness.Now())
		at := Monotonic(time.Now())
		g.Expect(at >= before).To(gomega.BeTrue(), "%v too early", before-at)
	}
}

func TestAWaitBetweenTheTwoReadingsOfTheClocksDoesNotCount(t *testing.T) {
	real, late, n := time.Now(), time.Duration(0), 0
	mono := func() time.Duration {
		if n++; n%3 != 0 {
			late += time.Second // it had to wait here
		}
		return time.Hour + late
	}
	m := newAnchor(func() time.Time { return real.Add(late) }, mono)
	gomega.NewWithT(t).Expect(m.mono - m.at.Sub(real)).To(gomega.Equal(time.Hour))
}

func TestNothingIsRecordedBeforeItHappenedByTheWitness(t *testing.T) {
	takes.Seconds(t)
	g := gomega.NewWithT(t)
	for range 50_000 {
		c := newClock()
		happened := c.since(time.Duration(witness.Now()))
		recorded := time.Since(c.started)
		g.Expect(recorded >= happened).To(gomega.BeTrue(), "%v too early", happened-recorded)
	}
}
