package check_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

// A page that names a metric which is called otherwise by now misleads who copies it.
func TestMetricsThatPagesNameExist(t *testing.T) {
	g := NewWithT(t)
	known, families := map[string]bool{}, map[string]bool{}
	names := check.Names()
	for _, f := range check.Floors() {
		names = append(names, "floor."+f.Name)
	}
	for _, name := range names {
		family, _, _ := strings.Cut(name, ".")
		families[family] = true
		for at := range name {
			if name[at] == '.' {
				known[name[:at]] = true // slot.recovery, tasks.latency.before
			}
		}
		known[name] = true
	}
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		g.Expect(err).NotTo(HaveOccurred())
		pages = append(pages, found...)
	}
	named := regexp.MustCompile("`([a-z]+)(\\.[a-z_0-9]+)+`")
	count := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		g.Expect(err).NotTo(HaveOccurred())
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if name := strings.Trim(m[0], "`"); families[m[1]] && m[2] != ".go" {
				count++
				g.Expect(known[name]).To(BeTrue(), "%s names %s", page, name)
			}
		}
	}
	g.Expect(count).To(BeNumerically(">", 200))
}

func TestThePageOfVerdictsSaysOfEachPromiseOnWhoseWordItRests(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile("../../docs/verdicts.md")
	g.Expect(err).NotTo(HaveOccurred())
	for _, promise := range append(check.Promises(), "settle.time") {
		g.Expect(string(page)).To(ContainSubstring("`" + promise + "`"))
	}
}
