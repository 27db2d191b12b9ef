package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

// The first page and that of the format show a scenario each, which people will copy.
func TestScenariosThatPagesShowAreValid(t *testing.T) {
	for page, name := range map[string]string{"README.md": "kill-under-load", "docs/scenario-format.md": "worker-and-neighbour"} {
		g := NewWithT(t)
		text, err := os.ReadFile(filepath.Join("..", page))
		g.Expect(err).NotTo(HaveOccurred())
		_, shown, ok := strings.Cut(string(text), "```yaml\nname: ")
		g.Expect(ok).To(BeTrue(), "%s has a scenario", page)
		shown, _, _ = strings.Cut(shown, "```\n")
		s, err := scenarios.Parse(page, []byte("name: "+shown), scenarios.Options{Short: true})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Name).To(Equal(name))
	}
}
