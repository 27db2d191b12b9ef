package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A load takes at least as long as its tasks do on as many members as it keeps busy, and an open one as long as its
// submissions.
func TestIdealTimeOfALoad(t *testing.T) {
	sleep := TaskArgs{Duration: Duration(20 * time.Millisecond)}
	for _, c := range []struct {
		load Load
		want time.Duration
	}{
		{Load{Args: sleep, Count: 200}, 4 * time.Second},
		{Load{Args: sleep, Count: 200, Concurrency: 2}, 2 * time.Second},
		{Load{Args: sleep, Count: 200, Concurrency: 8}, time.Second},
		{Load{Args: sleep, Count: 200, Rate: 1000}, time.Second},
		{Load{Args: sleep, Count: 201, Rate: 10}, 20*time.Second + 20*time.Millisecond},
		{Load{Args: sleep, Rate: 10}, 0},
	} {
		NewWithT(t).Expect(c.load.ideal(4)).To(Equal(c.want), "%+v", c.load)
	}
}
