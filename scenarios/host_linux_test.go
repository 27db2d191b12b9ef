package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"
)

// A run is skipped for what its host lacks, and for nothing that the host has.
func TestWhatAHostLacksIsNamedAndWhatItHasIsNot(t *testing.T) {
	const none, some = "MemTotal:       24683656 kB\nSwapTotal:             0 kB\n", "SwapTotal:       2097148 kB\n"
	all := map[string]string{
		"root": "true", "memory-cgroup": "yes, version 2", "pids-cgroup": "yes, version 2",
		"cpu-cgroup": "yes, version 2",
	}
	plain := map[string]string{
		"root": "false", "memory-cgroup": "not delegated", "pids-cgroup": "yes, version 2", "cpu-cgroup": "not mounted",
	}
	for _, is := range []struct {
		need    string
		have    map[string]string
		meminfo string
		lacks   string
	}{
		{"swap-off", all, none, ""},
		{"swap-off", all, "", ""},
		{"swap-off", all, some, "swap-off (2GiB of swap are on)"},
		{"root", all, none, ""},
		{"root", plain, none, "root"},
		{"cgroups", all, none, ""},
		{"cgroups", plain, none, "memory-cgroup: not delegated; cpu-cgroup: not mounted"},
		{"pids-cgroup", plain, none, ""},
		{"cpu-cgroup", plain, none, "cpu-cgroup: not mounted"},
	} {
		NewWithT(t).Expect((&Scenario{Needs: []string{is.need}}).lacks(is.have, is.meminfo)).To(Equal(is.lacks),
			is.need)
	}
}

// What a report shows of the host is for people.
func TestTheMemoryOfTheHostIsShownForPeople(t *testing.T) {
	NewWithT(t).Expect(Environment()).To(HaveKeyWithValue("memtotal", MatchRegexp(`^[0-9.]+[GMT]iB$`)))
}
