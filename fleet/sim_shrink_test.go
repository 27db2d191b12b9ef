package fleet

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/ddmin"
)

// numbers are what differs between two violations of one promise: times, tasks, nodes.
var numbers = regexp.MustCompile(`[a-z]*[0-9][0-9a-z.]*`)

// promiseOf is a violation without its numbers.
func promiseOf(violation string) string {
	_, what, _ := strings.Cut(violation, ": ")
	return numbers.ReplaceAllString(what, "#")
}

// shrinkSimulation leaves out of a schedule the faults that it does not take to break the same promise, and gives the
// numbers of those that are left.
func shrinkSimulation(t *testing.T, seed uint64, m mutant, broken *sim) []int {
	all := make([]int, broken.faults)
	for i := range all {
		all[i] = i
	}
	left, err := ddmin.Min(all, func(part []int) (bool, error) {
		without := map[int]bool{}
		for _, i := range all {
			without[i] = !slices.Contains(part, i)
		}
		s := simulateWithout(seed, m, false, without)
		return slices.ContainsFunc(s.wrong, func(w string) bool { return promiseOf(w) == promiseOf(broken.wrong[0]) }),
			nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// Of the faults of a schedule that shows a broken fleet some are left, and they show it still.
func TestAFailingScheduleShrinks(t *testing.T) {
	smaller := 0
	for _, m := range []mutant{
		mutantOnePull, mutantTrustsDedupe, mutantNoRepair, mutantAcksAcrossEpochs, mutantRefusalIsDeath,
	} {
		t.Run(m.String(), func(t *testing.T) {
			seed, s := showing(t, m)
			left := shrinkSimulation(t, seed, m, s)
			t.Logf("%d of %d faults: %v: %s", len(left), s.faults, left, s.wrong[0])
			if len(left) < s.faults {
				smaller++
			}
		})
	}
	NewWithT(t).Expect(smaller).To(BeNumerically(">=", 3), "schedules that got smaller")
}
