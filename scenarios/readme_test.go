package scenarios_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

// The first page shows a scenario, which people will copy.
func TestTheReadmesScenarioIsValid(t *testing.T) {
	g := NewWithT(t)
	readme, err := os.ReadFile("../README.md")
	g.Expect(err).NotTo(HaveOccurred())
	_, shown, ok := strings.Cut(string(readme), "```yaml\n")
	g.Expect(ok).To(BeTrue(), "README.md has a scenario")
	shown, _, _ = strings.Cut(shown, "```\n")
	s, err := scenarios.Parse("README.md", []byte(shown), scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Name).To(Equal("kill-under-load"))
}
