package guardian

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

func TestTheGuardianUndoesLimitsThatDependOnEachOther(t *testing.T) {
	g := NewWithT(t)
	cg, err := cgroup.Create("undo", cgroup.Memory)
	if err != nil {
		t.Skipf("needs a memory cgroup: %v", err)
	}
	defer func() { g.Expect(cg.Remove()).To(Succeed()) }()
	for range 10 { // a map's order is random
		g.Expect(cg.SetMemoryMax(int64(64 << 20))).To(Succeed())
		before, err := cg.Settings()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(cg.SetMemoryMax(int64(32 << 20))).To(Succeed())
		o := orders{undo: make(map[string]string)}
		for _, s := range before {
			o.undo[s.Path] = s.Value
		}

		o.carryOut("nobody")

		g.Expect(cg.Settings()).To(ConsistOf(before))
	}
}
