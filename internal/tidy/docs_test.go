package tidy

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// TestTheReadmesProgramPrintsWhatItSays runs the first page's program.
func TestTheReadmesProgramPrintsWhatItSays(t *testing.T) {
	g := NewWithT(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	g.Expect(err).NotTo(HaveOccurred())
	program, rest, ok := between(string(readme), "```go\n", "```\n")
	g.Expect(ok).To(BeTrue(), "README.md has a Go program")
	output, _, ok := between(rest, "```\n", "```\n")
	g.Expect(ok).To(BeTrue(), "and what it prints")

	g.Expect(outputOf(t, program, t.TempDir())).To(Equal(output))
}

// Each example of the guides to workers in other languages is a worker, a program, and what it prints. Nothing but the
// interpreter is installed, and what the example itself imports.
func TestTheGuidesWorkersAnswerAsTheySay(t *testing.T) {
	takes.Seconds(t)
	for _, example := range []struct {
		page, after, fence, worker, sdk string
		needs                           []string
	}{
		{"python.md", "", "python", "worker.py", "python/respawn.py", []string{"python3", "-c", ""}},
		{
			"python.md", "`images.py`:", "python", "images.py", "python/respawn.py",
			[]string{"python3", "-c", "import numpy"},
		},
		{"node.md", "", "js", "worker.mjs", "node/respawn.mjs", []string{"node", "-e", ""}},
	} {
		t.Run(example.page+" "+example.worker, func(t *testing.T) {
			if out, err := exec.Command(example.needs[0], example.needs[1:]...).CombinedOutput(); err != nil {
				t.Skipf("%q does not run here: %v %s", example.needs, err, out)
			}
			g := NewWithT(t)
			page, err := os.ReadFile(filepath.Join(root, "docs", example.page))
			g.Expect(err).NotTo(HaveOccurred())
			_, text, ok := strings.Cut(string(page), example.after)
			g.Expect(ok).To(BeTrue(), "the example is there")
			worker, rest, ok := between(text, "```"+example.fence+"\n", "```\n")
			g.Expect(ok).To(BeTrue(), "there is a worker")
			program, rest, ok := between(rest, "```go\n", "```\n")
			g.Expect(ok).To(BeTrue(), "and a program")
			output, _, ok := between(rest, "```\n", "```\n")
			g.Expect(ok).To(BeTrue(), "and what it prints")
			sdk, err := os.ReadFile(filepath.Join(root, "workers", filepath.FromSlash(example.sdk)))
			g.Expect(err).NotTo(HaveOccurred())
			dir := t.TempDir()
			g.Expect(os.WriteFile(filepath.Join(dir, example.worker), []byte(worker), 0o600)).To(Succeed())
			g.Expect(os.WriteFile(filepath.Join(dir, filepath.Base(example.sdk)), sdk, 0o600)).To(Succeed())
			g.Expect(outputOf(t, program, dir)).To(Equal(output))
		})
	}
}

// outputOf builds a program, in a package that exists only for the compiler, and runs it in the directory.
func outputOf(t *testing.T, program, dir string) string {
	t.Helper()
	g, scratch := NewWithT(t), t.TempDir()
	source, binary := filepath.Join(scratch, "main.go"), filepath.Join(scratch, "program")
	g.Expect(os.WriteFile(source, []byte(program), 0o600)).To(Succeed())
	at, err := filepath.Abs(filepath.Join(root, "internal", "tidy", "readme", "main.go"))
	g.Expect(err).NotTo(HaveOccurred())
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: source}})
	g.Expect(err).NotTo(HaveOccurred())
	config := filepath.Join(scratch, "overlay.json")
	g.Expect(os.WriteFile(config, overlay, 0o600)).To(Succeed())

	build := exec.Command("go", "build", "-overlay", config, "-o", binary, "./internal/tidy/readme")
	build.Dir, build.Stderr = root, os.Stderr
	g.Expect(build.Run()).To(Succeed())
	run := exec.Command(binary)
	run.Dir, run.Stderr = dir, os.Stderr
	got, err := run.Output()
	g.Expect(err).NotTo(HaveOccurred())
	return string(got)
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

var update = flag.Bool("update", false, "write the index of the decisions anew")

func TestTheIndexOfDecisionsHasEachOnceInOrderByItsTitle(t *testing.T) {
	g := NewWithT(t)
	dir := os.DirFS(filepath.Join(root, "docs", "decisions"))
	page, err := fs.ReadFile(dir, "README.md")
	g.Expect(err).NotTo(HaveOccurred())
	head, _, ok := strings.Cut(string(page), "| | |\n")
	g.Expect(ok).To(BeTrue(), "the page has a table")
	rows, err := decisionRows(dir)
	g.Expect(err).NotTo(HaveOccurred())
	want := head + "| | |\n| --- | --- |\n" + strings.Join(rows, "")
	if *update {
		g.Expect(os.WriteFile(filepath.Join(root, "docs", "decisions", "README.md"), []byte(want), 0o644)).To(Succeed())
		return
	}
	g.Expect(string(page)).To(Equal(want), "go test ./internal/tidy -run Decisions -update writes it")
}

func TestTheIndexOfPagesHasEachPage(t *testing.T) {
	g := NewWithT(t)
	dir := os.DirFS(filepath.Join(root, "docs"))
	index, err := fs.ReadFile(dir, "README.md")
	g.Expect(err).NotTo(HaveOccurred())
	pages, err := fs.Glob(dir, "*.md")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(pages)).To(BeNumerically(">", 8))
	for _, page := range pages {
		if page != "README.md" {
			g.Expect(string(index)).To(ContainSubstring("(" + page))
		}
	}
}

func TestADecisionWithoutATitleOfItsNumberIsFound(t *testing.T) {
	g := NewWithT(t)
	rows, err := decisionRows(fstest.MapFS{
		"0002-b.md": {Data: []byte("# 0002: The second\n")},
		"0001-a.md": {Data: []byte("# 0001: The first\n\nText.\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rows).To(Equal([]string{"| [0001](0001-a.md) | The first |\n", "| [0002](0002-b.md) | The second |\n"}))
	for _, title := range []string{"# 0003: Another's\n", "# 0002 No colon\n", "0002: no heading\n", ""} {
		_, err := decisionRows(fstest.MapFS{"0002-b.md": {Data: []byte(title)}})
		g.Expect(err).To(MatchError(ContainSubstring("0002-b.md")), title)
	}
}

// decisionRows makes the index's row of each decision in the directory, in the order of their numbers.
func decisionRows(dir fs.FS) (rows []string, err error) {
	names, err := fs.Glob(dir, "[0-9]*.md") // sorted
	for _, name := range names {
		text, readErr := fs.ReadFile(dir, name)
		number, _, _ := strings.Cut(name, "-")
		line, _, _ := strings.Cut(string(text), "\n")
		title, ok := strings.CutPrefix(line, "# "+number+": ")
		if readErr != nil || !ok {
			return nil, errors.Join(readErr, fmt.Errorf("%s begins with %q: want \"# %s: title\"", name, line, number))
		}
		rows = append(rows, "| ["+number+"]("+name+") | "+title+" |\n")
	}
	return rows, err
}

func TestDeadLinksAreFound(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(fstest.MapFS{
		"README.md": {Data: []byte("# A\n\n[b](docs/b.md#two-words-here) [d](docs/) [web](https://example.com)\n" +
			"[gone](docs/c.md) [part](docs/b.md#three) [self](#a)\n`a.go` `b.go` `x/a.go`\n```go\nx[T](y)\n```\n")},
		"x/a.go":    {Data: []byte("package x\n")},
		"docs/b.md": {Data: []byte("# B\n\n## Two words, `here`\n\n[up](../README.md) [out](../../x.md)\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, f := range deadLinks(files) {
		found = append(found, f.String())
	}
	g.Expect(found).To(ConsistOf(
		"README.md:4: docs/c.md is not there", "README.md:4: docs/b.md#three is not there",
		"docs/b.md:5: ../../x.md is not there",
		"README.md:5: b.go is not there"))
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	source  = regexp.MustCompile("`([\\w/]+\\.go)`")
	heading = regexp.MustCompile(`^#+ +(.*)`)
	notSlug = regexp.MustCompile(`[^\w\- ]`)
)

// deadLinks finds the relative links between pages, with their anchors, that lead nowhere, and Go files that are named
// and not there.
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
		n, code := 0, false
		for line := range strings.Lines(f.text) {
			n++
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			if code {
				continue
			}
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
