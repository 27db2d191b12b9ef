package faults

import (
	"math"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// Only a look that is certainly within the time for which a victim holds its memory tells that it has let go.
func TestFallOfAVictimsUsageCountsOnlyWithinTheWindow(t *testing.T) {
	type look struct {
		from, to time.Duration // since it was told
		used     int64
	}
	for _, c := range []struct {
		name   string
		looks  []look
		lowest int64 // of a floor of 90
	}{
		{"held", []look{{0, 1, 20}, {10, 11, 95}, {50, 51, 92}}, 92},
		{"given back", []look{{0, 1, 20}, {10, 11, 95}, {50, 51, 30}, {60, 61, 95}}, 30},
		{"high before it was told", []look{{5, 6, 95}, {50, 51, 30}}, 30},
		{"never high", []look{{0, 1, 20}, {10, 11, 89}}, math.MaxInt64},
		{"freed at the end, after a late first look", []look{{0, 1, 20}, {90, 91, 95}, {100, 101, 20}}, 95},
		{"freed at the end of a look that began before", []look{{0, 1, 20}, {10, 11, 95}, {99, 101, 20}}, 95},
		{
			"freed at the end, after a look that began before the window",
			[]look{{10, 40, 20}, {50, 51, 95}, {110, 111, 20}},
			95,
		},
		{"only found enough after the end", []look{{0, 1, 20}, {150, 151, 95}, {160, 161, 20}}, 95},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			u := pressure{floor: 90, length: 100, lowest: math.MaxInt64, notBefore: start}
			for _, l := range c.looks {
				u.reaches(l.used, start.Add(l.from), start.Add(l.to))
			}
			gomega.NewWithT(t).Expect(u.lowest).To(gomega.Equal(c.lowest))
		})
	}
}
