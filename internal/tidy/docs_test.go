package tidy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

// TestTheReadmesProgramPrintsWhatItSays runs the first page's program in a package that exists only for the compiler.
func TestTheReadmesProgramPrintsWhatItSays(t *testing.T) {
	g := NewWithT(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	g.Expect(err).NotTo(HaveOccurred())
	program, rest, ok := between(string(readme), "```go\n", "```\n")
	g.Expect(ok).To(BeTrue(), "README.md has a Go program")
	output, _, ok := between(rest, "```\n", "```\n")
	g.Expect(ok).To(BeTrue(), "and what it prints")

	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	g.Expect(os.WriteFile(source, []byte(program), 0o600)).To(Succeed())
	at, err := filepath.Abs(filepath.Join(root, "internal", "tidy", "readme", "main.go"))
	g.Expect(err).NotTo(HaveOccurred())
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: source}})
	g.Expect(err).NotTo(HaveOccurred())
	config := filepath.Join(dir, "overlay.json")
	g.Expect(os.WriteFile(config, overlay, 0o600)).To(Succeed())

	cmd := exec.Command("go", "run", "-overlay", config, "./internal/tidy/readme")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	got, err := cmd.Output()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)).To(Equal(output))
}

// between is the text from the first opening to the closing after it, and what comes after that.
func between(s, opening, closing string) (text, rest string, ok bool) {
	_, s, ok = strings.Cut(s, opening)
	text, rest, found := strings.Cut(s, closing)
	return text, rest, ok && found
}

func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(os.DirFS(root))
	g.Expect(err).NotTo(HaveOccurred())
	pages := 0
	for _, f := range files {
		if strings.HasSuffix(f.path, ".md") {
			pages++
		}
	}
	g.Expect(pages).To(BeNumerically(">", 5))
	for _, found := range deadLinks(files) {
		t.Error(found)
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	g := NewWithT(t)
	index, err := os.ReadFile(filepath.Join(root, "docs", "decisions", "README.md"))
	g.Expect(err).NotTo(HaveOccurred())
	pages, err := filepath.Glob(filepath.Join(root, "docs", "decisions", "[0-9]*.md"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pages).NotTo(BeEmpty())
	for _, page := range pages {
		g.Expect(string(index)).To(ContainSubstring("(" + filepath.Base(page) + ")"))
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(fstest.MapFS{
		"README.md": {Data: []byte("# A\n\n[b](docs/b.md#two-words-here) [d](docs/) [web](https://example.com)\n" +
			"[gone](docs/c.md) [part](docs/b.md#three) [self](#a)\n`a.go` `b.go` `x/a.go`\n")},
		"x/a.go":    {Data: []byte("package x\n")},
		"docs/b.md": {Data: []byte("# B\n\n## Two words, `here`\n\n[up](../README.md) [out](../../x.md)\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, f := range deadLinks(files) {
		found = append(found, f.String())
	}
	g.Expect(found).To(ConsistOf(
		"README.md:4: docs/c.md is not there", "README.md:4: docs/b.md#three is not there", "docs/b.md:5: ../../x.md is not there",
		"README.md:5: b.go is not there"))
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	source  = regexp.MustCompile("`([\\w/]+\\.go)`")
	heading = regexp.MustCompile(`^#+ +(.*)`)
	notSlug = regexp.MustCompile(`[^\w\- ]`)
)

// deadLinks finds the relative links between pages, with their anchors, that lead nowhere, and Go files that are named and
// not there.
func deadLinks(files []*file) (found []finding) {
	there := map[string]bool{"": true}
	for _, f := range files {
		for dir := f.path; dir != "."; dir = path.Dir(dir) {
			there[dir] = true
		}
		there[path.Base(f.path)] = true
		if !strings.HasSuffix(f.path, ".md") {
			continue
		}
		for line := range strings.Lines(f.text) {
			if m := heading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
				there[f.path+"#"+strings.ReplaceAll(slug, " ", "-")] = true
			}
		}
	}
	for _, f := range files {
		if !strings.HasSuffix(f.path, ".md") {
			continue
		}
		n := 0
		for line := range strings.Lines(f.text) {
			n++
			for _, m := range source.FindAllStringSubmatch(line, -1) {
				if !there[m[1]] {
					found = append(found, finding{f.path, n, m[1] + " is not there"})
				}
			}
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				to, anchor, _ := strings.Cut(m[1], "#")
				switch {
				case strings.Contains(to, ":"):
					continue
				case to == "":
					to = f.path
				default:
					to = path.Join(path.Dir(f.path), to)
				}
				if !there[to] || anchor != "" && !there[to+"#"+anchor] {
					found = append(found, finding{f.path, n, m[1] + " is not there"})
				}
			}
		}
	}
	return found
}
