package doctor

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/refuse"
)

func TestTheChecksFitATerminal(t *testing.T) {
	g := NewWithT(t)
	checks := []Check{
		{Area: "limits", Name: "open files", OK: true, Detail: "20000, enough for 1,000 workers"},
		tenThousand(20_000, 32_768),
		{
			Area: "cgroups", Name: "memory cgroup", Detail: "version 2, not delegated",
			Use:    "hard memory limits and the faults oom and memory",
			Remedy: "systemd-run --user --scope -p Delegate=yes",
		},
	}
	var narrow, wide strings.Builder
	g.Expect(Table(&narrow, 80, checks)).To(Succeed())
	g.Expect(Table(&wide, 1000, checks)).To(Succeed())
	for line := range strings.Lines(narrow.String()) {
		g.Expect(len([]rune(strings.TrimSuffix(line, "\n")))).To(BeNumerically("<=", 80), line)
	}
	g.Expect(strings.Fields(narrow.String())).To(ConsistOf(strings.Fields(wide.String())), "no word is broken or lost")
}

// Some containers' seccomp filters know no memfds, without which there is no pool.
func TestMemoryFilesThatAreRefusedAreSaid(t *testing.T) {
	g := NewWithT(t)
	g.Expect(seals()).To(Succeed())
	var list []Check
	if err := refuse.Here(unix.SYS_MEMFD_CREATE, func() { list = memory(t.Context()) }); err != nil {
		t.Skipf("needs seccomp filters: %v", err)
	}
	g.Expect(list).To(ContainElement(And(HaveField("Name", "sealed memfd"), HaveField("OK", false),
		HaveField("Detail", "memfd_create: operation not permitted"))))
}
