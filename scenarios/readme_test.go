package scenarios_test

import (
	"os"
	"path/filepath"
	"regexp"
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

// Of tasks that hang none is lost, and where all fail neither: what is taught and what the library asks is that all are settled.
func TestNobodyIsTaughtToAskOfLostTasksAlone(t *testing.T) {
	g := NewWithT(t)
	var files []string
	for _, pattern := range []string{"../docs/*.md", "../README.md", "library/*.yaml", "scenariotest/*.go"} {
		found, err := filepath.Glob(pattern)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).NotTo(BeEmpty(), pattern)
		files = append(files, found...)
	}
	asks := regexp.MustCompile(`tasks\.lost *(== *0|< *1|<= *0)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(asks.FindString(string(text))).To(BeEmpty(), "%s: ask for tasks.unsettled == 0, which counts those that hang too", file)
	}
}
