package scenarios_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
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
		"kill-under-load", "worker-and-neighbour", "my-storm", "kill-one", "web-unit", "container", "supervised",
		"by-port", "three-workers"))
}

// shown is a condition in a page, of a family of metrics; N stands for a number there.
var shown = regexp.MustCompile(`\b(?:allow +)?([a-z]+)(?:\.[a-z0-9_]+)+\s*[=!<>]+\s*` +
	"(?:-?[0-9][^\\s`\\],)'\";]*(?: floor\\.[a-z]+)?|[a-z]+(?:\\.[a-z0-9_]+)+|N\\b)(?: for [0-9][0-9a-z.]*)?")

// shownAsRefused are those that pages show to say that they are errors.
var shownAsRefused = []string{
	"tasks.lost >= 0", "pool.ready >= 0", "load.achieved >= 110%", "tasks.ok > tasks.submitted",
}

// Pages show conditions, in scenarios and in sentences, which people copy too.
func TestConditionsThatPagesShowAreValid(t *testing.T) {
	g := NewWithT(t)
	families := map[string]bool{}
	for _, name := range check.Names() {
		family, _, _ := strings.Cut(name, ".")
		families[family] = true
	}
	group := regexp.MustCompile(`\b(expect|steady|abort)\b`)
	refused, valid := map[string]bool{}, 0
	for _, pattern := range []string{"../README.md", "../docs/*.md", "../docs/decisions/*.md"} {
		pages, err := filepath.Glob(pattern)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(pages).NotTo(BeEmpty())
		for _, page := range pages {
			text, err := os.ReadFile(page)
			g.Expect(err).NotTo(HaveOccurred())
			for paragraph := range strings.SplitSeq(string(text), "\n\n") {
				for _, at := range shown.FindAllStringSubmatchIndex(paragraph, -1) {
					if !families[paragraph[at[2]:at[3]]] {
						continue
					}
					under := "expect" // unless another group was spoken of last
					if spoken := group.FindAllString(paragraph[:at[0]], -1); len(spoken) > 0 {
						under = spoken[len(spoken)-1]
					}
					condition := strings.Join(strings.Fields(paragraph[at[0]:at[1]]), " ")
					r, err := check.ParseRule(strings.Replace(condition, " N", " 3", 1))
					if err == nil {
						err = r.Fits(under)
					}
					if slices.Contains(shownAsRefused, condition) {
						g.Expect(err).To(HaveOccurred(), "%s: %s under %s is told to be an error", page,
							condition, under)
						refused[condition] = true
						continue
					}
					if err != nil {
						t.Errorf("%s shows %s under %s: %v", page, condition, under, err)
					}
					valid++
				}
			}
		}
	}
	g.Expect(refused).To(HaveLen(len(shownAsRefused)), "each is shown somewhere")
	g.Expect(valid).To(BeNumerically(">", 20))
}

// Of tasks that hang none is lost, and where all fail neither: what is taught and what the library asks is that all are
// settled.
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
		g.Expect(asks.FindString(string(text))).To(BeEmpty(),
			"%s: ask for tasks.unsettled == 0, which counts those that hang too", file)
	}
}
