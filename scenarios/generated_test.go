package scenarios_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

var update = flag.Bool("update", false, "write the generated files instead of comparing them")

const (
	pageFile  = "../docs/scenario-format.md"
	pageStart = "<!-- generated from the format's types: go test ./scenarios -run Generated -update -->\n"
	pageEnd   = "<!-- end of the generated part -->\n"
)

func TestGeneratedSchemaIsUpToDate(t *testing.T) {
	want, err := scenarios.MakeSchema()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	compare(t, "scenario.schema.json", string(want))
}

func TestGeneratedPageIsUpToDate(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile(pageFile)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, ok := strings.Cut(string(page), pageStart)
	g.Expect(ok).To(BeTrue(), "%s has no line %s", pageFile, pageStart)
	_, after, ok := strings.Cut(rest, pageEnd)
	g.Expect(ok).To(BeTrue(), "%s has no line %s", pageFile, pageEnd)
	compare(t, pageFile, before+pageStart+scenarios.Page()+"\n"+pageEnd+after)
}

// compare holds a file against what it should be, or with -update makes it so.
func compare(t *testing.T, file, want string) {
	t.Helper()
	g := NewWithT(t)
	if *update {
		g.Expect(os.WriteFile(file, []byte(want), 0o644)).To(Succeed())
		return
	}
	have, err := os.ReadFile(file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(have)).To(Equal(want), "stale: run go test ./scenarios -run Generated -update")
}
