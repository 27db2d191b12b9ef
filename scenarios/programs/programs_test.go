package programs_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios/programs"
)

// The directory is put in its place, and the run's own directory, TMPDIR, is left alone: what a program writes goes there.
func TestRowsNameTheirFilesByTheDirectory(t *testing.T) {
	g := NewWithT(t)
	names := map[string]bool{}
	for _, row := range programs.All() {
		settings := fmt.Sprint(row.Settings("/files"))
		g.Expect(settings).NotTo(Or(ContainSubstring("HERE"), ContainSubstring("$TMP/")), row.Name)
		g.Expect(row.Family).To(BeElementOf("servers", "supervisors"))
		g.Expect(row.Title).NotTo(BeEmpty())
		g.Expect(names).NotTo(HaveKey(row.Name))
		names[row.Name] = true
	}
	g.Expect(fmt.Sprint(programs.All()[0].Settings("/files"))).To(ContainSubstring("/files/supervisors.conf"))
}
