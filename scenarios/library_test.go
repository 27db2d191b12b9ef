package scenarios_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

func TestEveryLibraryScenarioIsValidInBothForms(t *testing.T) {
	g := NewWithT(t)
	g.Expect(scenarios.Library()).To(ContainElement("tutorial"))
	for _, name := range scenarios.Library() {
		for _, short := range []bool{false, true} {
			s, err := scenarios.ReadNamed(name, scenarios.Options{Short: short})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.Name).To(Equal(name))
			g.Expect(s.Description).NotTo(BeEmpty())
		}
	}
}

func TestTheLibraryIsInCanonicalForm(t *testing.T) {
	g := NewWithT(t)
	files, err := filepath.Glob("library/*.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).NotTo(BeEmpty())
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		want, err := scenarios.Format(file, text)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(text)).To(Equal(string(want)), "run: go run ./cmd/respawn fmt scenarios/library/*.yaml")
	}
}
