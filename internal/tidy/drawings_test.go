package tidy

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

// What docs/architecture.md draws of the pool is held against its code.
func TestTheWaysOfATaskAndOfADeathAreThoseOfTheCode(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(os.DirFS(root))
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(root + "/docs/architecture.md")
	g.Expect(err).NotTo(HaveOccurred())
	for _, heading := range []string{"## The way of a task\n", "## Death of a worker, in order\n"} {
		_, section, ok := strings.Cut(string(page), heading)
		g.Expect(ok).To(BeTrue(), heading)
		drawing, _, ok := between(section, "```\n", "```\n")
		g.Expect(ok).To(BeTrue(), heading)
		g.Expect(strings.Count(drawing, ".go: ")).To(BeNumerically(">", 6), heading)
		for _, wrong := range misdrawn(files, "pool", drawing) {
			t.Errorf("docs/architecture.md, %s: %s\n\tinstead: draw what the code does, or move the function",
				strings.TrimSpace(heading), wrong)
		}
	}
}

func TestADrawingThatIsNotTheCodesIsFound(t *testing.T) {
	files, err := readTree(fstest.MapFS{
		"p/a.go": {
			Data: []byte("package p\n\nfunc one() { two(); x.unlock() }\n\nfunc two() {}\n\nfunc (t) five() {}\n"),
		},
		"p/b.go":    {Data: []byte("package p\n\nfunc (t) three() { f = func() { t.five() } }\n\nfunc four() {}\n")},
		"p/lock.go": {Data: []byte("package p\n\nfunc (t) unlock() { x.three() }\n")},
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for drawing, want := range map[string]string{
		" x   a.go: one, two\n y\n ends lock.go: unlock\n ─── z\n b.go: three\n ends lock.go: unlock\n": "",
		" x   a.go: one, three\n":                             "three is not in a.go",
		" x   c.go: one\n":                                    "one is not in c.go",
		" x   a.go: one\n b.go: four\n":                       "four is called by nothing before it",
		" x   a.go: one\n ─── z\n b.go: four\n":               "",
		" x   a.go: one\n ─── z\n b.go: three\n a.go: five\n": "a.go is entered twice",
	} {
		t.Run(drawing, func(t *testing.T) {
			found := misdrawn(files, "p", drawing)
			if want == "" {
				NewWithT(t).Expect(found).To(BeEmpty())
			} else {
				NewWithT(t).Expect(found).To(Equal([]string{want}))
			}
		})
	}
}

// step is the end of a line of a drawing: a file and the functions there that take the step.
var step = regexp.MustCompile(`([\w/]+\.go): ([\w, ]+)`)

// misdrawn finds what a drawing says and the code does not. A line of it begins a stretch that nothing before it calls.
func misdrawn(files []*file, room, drawing string) (found []string) {
	called, entered, last, begins := map[string]bool{}, map[string]bool{}, "", true
	for line := range strings.Lines(drawing) {
		begins = begins || strings.Contains(line, "───")
		m := step.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if name := m[1]; name != last {
			if entered[name] && name != "lock.go" {
				found = append(found, name+" is entered twice")
			}
			entered[name], last = true, name
		}
		for name := range strings.FieldsFuncSeq(m[2], func(r rune) bool { return r == ',' || r == ' ' }) {
			body := function(files, room, m[1], name)
			switch {
			case body == nil:
				found = append(found, fmt.Sprintf("%s is not in %s", name, m[1]))
				continue
			case !begins && !called[name]:
				found = append(found, name+" is called by nothing before it")
			}
			begins = false
			ast.Inspect(body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					called[n.Sel.Name] = true
				case *ast.Ident:
					called[n.Name] = true
				}
				return true
			})
		}
	}
	return found
}

// function is the body of the function or method of that name in a file of the room, or with a directory of the tree.
func function(files []*file, room, at, name string) (body *ast.BlockStmt) {
	if !strings.Contains(at, "/") {
		at = path.Join(room, at)
	}
	for _, f := range files {
		if f.path != at {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
				return fn.Body
			}
		}
	}
	return nil
}

// What CONTRIBUTING.md says where a change begins is there.
func TestAChangeBeginsWhereItIsSaidTo(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(os.DirFS(root))
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(root + "/CONTRIBUTING.md")
	g.Expect(err).NotTo(HaveOccurred())
	_, section, ok := strings.Cut(string(page), "## What goes where\n")
	g.Expect(ok).To(BeTrue())
	section, _, _ = strings.Cut(section, "\n## ")
	g.Expect(strings.Count(section, "\n| ")).To(BeNumerically(">", 12))
	for _, wrong := range misplaced(files, section) {
		t.Errorf("CONTRIBUTING.md: %s", wrong)
	}
}

func TestAPlaceThatIsNotThereIsFound(t *testing.T) {
	files, err := readTree(
		fstest.MapFS{"p/a.go": {Data: []byte("package p\n\ntype T int\n\nvar v = 1\n\nfunc (t T) m() {}\n")}})
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(misplaced(files, "`p/a.go` (`T`), `p/a.go` (`v`), `p/a.go` (`m`), `p/a.go`")).To(BeEmpty())
	g.Expect(misplaced(files, "`a.go`, `p/a.go` (`t`)")).
		To(Equal([]string{"a.go is not there", "p/a.go does not declare t"}))
}

// place is a file, and mostly what it declares.
var place = regexp.MustCompile("`([\\w/-]+\\.go)`(?: \\(`(\\w+)`\\))?")

// misplaced finds the files that a text names and that are not there, and what is not in them.
func misplaced(files []*file, text string) (found []string) {
	for _, m := range place.FindAllStringSubmatch(text, -1) {
		i := slices.IndexFunc(files, func(f *file) bool { return f.path == m[1] })
		switch {
		case i < 0:
			found = append(found, m[1]+" is not there")
		case m[2] != "" && !declares(files[i], m[2]):
			found = append(found, m[1]+" does not declare "+m[2])
		}
	}
	return found
}

// declares tells whether the file has a function, method, type, variable or constant of that name.
func declares(f *file, name string) bool {
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.Name == name {
						return true
					}
				case *ast.ValueSpec:
					if slices.ContainsFunc(s.Names, func(id *ast.Ident) bool { return id.Name == name }) {
						return true
					}
				}
			}
		}
	}
	return false
}
