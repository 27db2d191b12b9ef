package bench

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	. "github.com/onsi/gomega"
)

func TestMedianAndQuantilesAreByNearestRank(t *testing.T) {
	g := NewWithT(t)
	samples := make([]float64, 101)
	for i, n := range rand.New(rand.NewPCG(1, 1)).Perm(len(samples)) {
		samples[i] = float64(n)
	}
	g.Expect(median(samples)).To(BeEquivalentTo(50))
	g.Expect(quantile(samples, 0.99)).To(BeEquivalentTo(99))
	g.Expect(median([]float64{7})).To(BeEquivalentTo(7))
	g.Expect(median([]float64{})).To(BeZero())
}

func TestWhatWasNotMeasuredIsAbsentAndWhatWasZeroIsNot(t *testing.T) {
	g := NewWithT(t)
	r := &Result{Pool: Pool{TasksS: 2e6}, Storm: &Storm{Tasks: 400, OK: 400, WallS: 2.1, IdealS: 2}}
	text, err := json.Marshal(r)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(And(ContainSubstring(`"tasks_s":2000000`), ContainSubstring(`"lost":0`),
		ContainSubstring(`"failed":0`)))
	g.Expect(string(text)).
		NotTo(Or(ContainSubstring("echo_mb_s"), ContainSubstring("soak"), ContainSubstring("report")))

	var table bytes.Buffer
	g.Expect(r.Table(&table)).To(Succeed())
	g.Expect(table.String()).
		To(And(ContainSubstring("2,000,000/s"), ContainSubstring("400 ok / 0 failed / 0 lost / 0 duplicated of 400")))
	g.Expect(table.String()).NotTo(ContainSubstring("echo"))
}

func TestUnknownGroupsAreNamed(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Options{Only: []string{"tasks", "taks"}}.Validate()).
		To(MatchError(ContainSubstring(`no group "taks": want one of tasks, callers`)))
	g.Expect(Options{Only: Names(), Runs: 1}.Validate()).To(Succeed())
}

func TestTheStormsWorstRunIsTheOneThatIsTold(t *testing.T) {
	g := NewWithT(t)
	good := Storm{Tasks: 400, OK: 400, Kills: 40, WallS: 2.1, IdealS: 2, UsableAfter: true}
	slow, lossy, broken := good, good, good
	slow.WallS, slow.Kills = 2.9, 50
	lossy.OK, lossy.Lost, lossy.Duplicated = 398, 2, 1
	broken.UsableAfter = false
	g.Expect(good.clean()).To(BeTrue())
	g.Expect(lossy.clean() || broken.clean()).To(BeFalse())
	g.Expect(*summary([]Storm{good, good, slow})).To(Equal(good))
	g.Expect(*summary([]Storm{lossy, good, broken, slow, slow})).To(Equal(Storm{
		Tasks: 400, OK: 398, Lost: 2, Duplicated: 1, Kills: 40, WallS: 2.1, IdealS: 2, UsableAfter: false,
	}))
}
