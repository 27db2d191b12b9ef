package faults

import (
	"testing"

	"github.com/onsi/gomega"
)

// A target that says "done" and shows nothing has confirmed nothing.
func TestATargetThatHarmsItselfMustShowWhatItDid(t *testing.T) {
	proves := map[string]func(map[string]string) error{
		"stepdown": otherLeads, "redeliver": moreRedelivered, "amnesia": Amnesia{}.hasLost, "amnesia start": Amnesia{Back: "start"}.hasLost,
	}
	for _, row := range []struct {
		fault    string
		evidence map[string]string
		lacks    string // "": nothing
	}{
		{"stepdown", nil, "want two that differ"},
		{"stepdown", map[string]string{"led before": "broker-1"}, "want two that differ"},
		{"stepdown", map[string]string{"led before": "broker-1", "leads now": "broker-1"}, "want two that differ"},
		{"stepdown", map[string]string{"led before": "broker-1", "leads now": "broker-2"}, ""},
		{"redeliver", nil, `"redelivered before": want a number`},
		{"redeliver", map[string]string{"redelivered before": "3", "redelivered after": "3"}, "3 redelivered before and 3 after"},
		{"redeliver", map[string]string{"redelivered before": "3", "redelivered after": "many"}, `"redelivered after": want a number`},
		{"redeliver", map[string]string{"redelivered before": "3", "redelivered after": "4"}, ""},
		{"amnesia", map[string]string{"files before": "4"}, `"files after": want a number`},
		{"amnesia", map[string]string{"files before": "4", "files after": "4"}, "4 files after all were lost"},
		{"amnesia", map[string]string{"files before": "4", "files after": "0"}, ""},
		{"amnesia start", map[string]string{"files before": "4", "files after": "4"}, ""},
	} {
		g := gomega.NewWithT(t)
		err := proves[row.fault](row.evidence)
		if row.lacks == "" {
			g.Expect(err).NotTo(gomega.HaveOccurred(), "%s %v", row.fault, row.evidence)
		} else {
			g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(row.lacks)), "%s %v", row.fault, row.evidence)
		}
	}
}
