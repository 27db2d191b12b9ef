package pool_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

var ownOOMScore = pool.Register("own-oom-score", func(context.Context, int) (int, error) { return oomScore() })

func oomScore() (int, error) {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

func TestTheKernelPrefersAWorkerToItsHostWhenMemoryIsShort(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	host, err := oomScore()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ownOOMScore.Call(bound(t), p, 0)).To(And(BeNumerically(">=", 500), BeNumerically(">=", host)))
}
