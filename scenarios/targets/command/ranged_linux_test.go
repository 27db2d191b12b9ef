package command_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
)

// scaling has four members, ends one after a while without anybody's asking, in the way that it is told, and never
// starts one as long as two are there.
const scaling = `start() { sleep 3600 & }; start; start; start; start; trap 'kill $(jobs -p); exit 0' TERM
( sleep 0.9; kill -%s $(pgrep -n -x -P $$ sleep) ) 2>/dev/null & disown
while :; do wait -n; [ $(pgrep -c -x -P $$ sleep) -ge 2 ] || start; done`

// A target whose size is a range may end members by itself, and need not replace those beyond the fewest.
func TestATargetMayChangeHowManyMembersItHas(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	for name, c := range map[string]struct {
		size, signal string
		times        int
		want         check.Verdict
		says         string
	}{
		"within the range": {"2..4", "TERM", 1, check.Pass, "1 fault confirmed, a process in every slot again within"},
		"beside the range": {"3..4", "TERM", 3, check.Fail, "slot"},
		"of a crash":       {"2..4", "SEGV", 1, check.Fail, "1 member died though nobody caused it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			s, err := scenarios.Parse("x.yaml", []byte(fmt.Sprintf(`name: x
target: {command: {argv: [bash, -c, %q], size: %s, members: {match: {argv: ^sleep 3600}}}}
chaos:
  - fault: {signal: KILL}
    when: {after: 500ms, every: 300ms, times: %d}
settle: 1s
`, fmt.Sprintf(scaling, c.signal), c.size, c.times)), scenarios.Options{})
			g.Expect(err).NotTo(HaveOccurred())
			r, err := s.Run(t.Context(), scenarios.RunOptions{Dir: t.TempDir(), Floors: map[string]float64{}})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Verdict).To(Equal(c.want), r.Cause)
			g.Expect(r.Cause).To(ContainSubstring(c.says))
		})
	}
}
