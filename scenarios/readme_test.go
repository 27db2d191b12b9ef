package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

// Pages show scenarios, which people will copy.
func TestScenariosThatPagesShowAreValid(t *testing.T) {
	g := NewWithT(t)
	pages, err := filepath.Glob("../docs/*.md")
	g.Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		g.Expect(err).NotTo(HaveOccurred())
		for _, shown := range strings.Split(string(text), "```yaml\nname: ")[1:] {
			shown, _, _ = strings.Cut(shown, "```\n")
			s, err := scenarios.Parse(page, []byte("name: "+shown), scenarios.Options{Short: true})
			g.Expect(err).NotTo(HaveOccurred())
			names = append(names, s.Name)
		}
	}
	g.Expect(names).To(ConsistOf(
		"kill-under-load", "worker-and-neighbour", "my-storm", "kill-one", "web-unit", "container", "supervised", "by-port", "three-workers"))
}
