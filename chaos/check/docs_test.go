package check_test

import (
	"flag"
	"os"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
)

var update = flag.Bool("update", false, "write generated files instead of comparing them")

func TestDocsAreGeneratedFromTheRegistry(t *testing.T) {
	g := NewWithT(t)
	const page = "../../docs/metrics.md"
	if *update {
		g.Expect(os.WriteFile(page, []byte(check.Docs()), 0o644)).To(Succeed())
	}
	have, err := os.ReadFile(page)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(have)).To(Equal(check.Docs()), "run: go test ./chaos/check -run Docs -update")
}
