package faults

import (
	"testing"

	"github.com/onsi/gomega"
)

// A target that says "done" and shows nothing has confirmed nothing.
func TestATargetThatHarmsItselfMustShowWhatItDid(t *testing.T) {
	proves := map[string]func(map[string]string) error{
		"stepdown": otherLeads, "redeliver": moreRedelivered, "amnesia": Amnesia{}.hasLost,
		"amnesia start": Amnesia{Back: "start"}.hasLost, "cut": heldUp, "fill": wasFull,
		"cancel": Cancel{N: 5}.allCancelled,
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
		{
			"redeliver",
			map[string]string{"redelivered before": "3", "redelivered after": "3"},
			"3 redelivered before and 3 after",
		},
		{
			"redeliver",
			map[string]string{"redelivered before": "3", "redelivered after": "many"},
			`"redelivered after": want a number`,
		},
		{"redeliver", map[string]string{"redelivered before": "3", "redelivered after": "4"}, ""},
		{"amnesia", map[string]string{"files before": "4"}, `"files after": want a number`},
		{"amnesia", map[string]string{"files before": "4", "files after": "4"}, "4 files after all were lost"},
		{"amnesia", map[string]string{"files before": "4", "files after": "0"}, ""},
		{"amnesia start", map[string]string{"files before": "4", "files after": "4"}, ""},
		{"cut", map[string]string{"cut off": "broker-1"}, `"bytes": want a number`},
		{"cut", map[string]string{"bytes": "0"}, "nothing came by"},
		{"cut", map[string]string{"bytes": "1"}, ""},
		{
			"fill",
			map[string]string{"refused": "1", "written": "90", "free before": "90", "free full": "0"},
			`"free after": want a number`,
		},
		{"fill", map[string]string{
			"refused": "0", "written": "80", "free before": "90", "free full": "10", "free after": "90",
		}, "nothing was refused"},
		{"fill", map[string]string{
			"refused": "1", "written": "0", "free before": "90", "free full": "90", "free after": "90",
		}, "90 bytes free before, 90 when it was full"},
		{"fill", map[string]string{
			"refused": "1", "written": "90", "free before": "90", "free full": "0", "free after": "0",
		}, "and 0 after"},
		{"fill", map[string]string{
			"refused": "1", "written": "90", "free before": "90", "free full": "0", "free after": "80",
		}, ""},
		{"cancel", map[string]string{"submitted": "5"}, `"cancelled": want a number`},
		{"cancel", map[string]string{"submitted": "5", "cancelled": "4"}, "5 tasks submitted and 4 cancelled"},
		{"cancel", map[string]string{"submitted": "3", "cancelled": "3"}, "of 5"},
		{"cancel", map[string]string{"submitted": "5", "cancelled": "5"}, ""},
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
