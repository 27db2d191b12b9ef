package programs_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios/programs"
)

// The directory is put in its place, and the run's own directory, TMPDIR, is left alone: what a program writes goes
// there.
func TestRowsNameTheirFilesByTheDirectory(t *testing.T) {
	g := NewWithT(t)
	names, urls := map[string]bool{}, map[string]string{}
	for _, row := range programs.All() {
		settings := fmt.Sprint(row.Settings("/files"))
		g.Expect(settings).NotTo(Or(ContainSubstring("HERE"), ContainSubstring("$TMP/")), row.Name)
		g.Expect(row.Family).To(BeElementOf("servers", "supervisors"))
		g.Expect(row.Title).NotTo(BeEmpty())
		g.Expect(names).NotTo(HaveKey(row.Name))
		names[row.Name] = true
		if http, ok := row.Load["http"].(map[string]any); ok {
			url := fmt.Sprint(http["url"])
			g.Expect(urls[url]).To(BeEmpty(), "%s has the port of another row, which may be tested at the same time",
				row.Name)
			urls[url] = row.Name
		}
	}
	g.Expect(names).To(And(HaveKey("supervisord"), HaveKey("nginx")), "of both files")
	g.Expect(fmt.Sprint(programs.All())).To(ContainSubstring("HERE/supervisors.conf"))
}
