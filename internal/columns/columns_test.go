package columns_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/columns"
)

// A table keeps to its width, breaks between words only, and loses none.
func TestATableFitsAndBreaksBetweenWords(t *testing.T) {
	g := NewWithT(t)
	long := strings.TrimSpace(strings.Repeat("word ", 60))
	var out strings.Builder
	g.Expect(columns.Write(&out, 80, [][]string{
		{"name", "what", "remark"}, {"first", long, "short"}, {"second", "x", "two\u00a0of"}, {"third"},
	})).To(Succeed())
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines {
		g.Expect(len([]rune(line))).To(BeNumerically("<=", 80), line)
		g.Expect(line).NotTo(HaveSuffix(" "))
	}
	g.Expect(strings.Count(out.String(), "word")).To(Equal(60))
	g.Expect(strings.Fields(out.String())).To(HaveEach(Not(Or(Equal("wor"), Equal("wo"), Equal("w")))))
	g.Expect(lines[0]).To(HavePrefix("name    what"))
	g.Expect(lines[len(lines)-1]).To(Equal("third"))
}

func TestWhatFitsIsLeftAlone(t *testing.T) {
	g := NewWithT(t)
	var out strings.Builder
	g.Expect(columns.Write(&out, 80, [][]string{{"a", "b  c"}, {"dd", "e"}})).To(Succeed())
	g.Expect(out.String()).To(Equal("a   b  c\ndd  e\n"))
}

// What is too wide even in its longest words is told row by row.
func TestATableOfTooLongWordsIsParagraphs(t *testing.T) {
	g := NewWithT(t)
	rows := [][]string{
		{"target", "scenario", "verdict", "tasks"},
		{"a-pool", "kill-storm", "INCONCLUSIVE", "16 / 0"},
		{"", "tutorial", "PASS", ""},
		{"other", "not installed", "", ""},
	}
	var out strings.Builder
	g.Expect(columns.WriteNamed(&out, 40, rows)).To(Succeed())
	g.Expect(out.String()).To(HavePrefix("target  scenario    verdict       tasks\n"))
	out.Reset()
	g.Expect(columns.WriteNamed(&out, 36, rows)).To(Succeed())
	g.Expect(out.String()).To(Equal("a-pool\n  scenario: kill-storm; verdict:\n  INCONCLUSIVE; tasks: 16 / 0\n" +
		"  scenario: tutorial; verdict: PASS\nother\n  not installed\n"))
}
