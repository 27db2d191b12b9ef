package tidy

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

func TestGoDocShowsTheFieldsAndMethodsOfWhatUsersSee(t *testing.T) {
	files, err := readTree(os.DirFS(root))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, found := range hidingAliases(files, "pool") {
		t.Errorf("%s\n\tinstead: declare the type here, and convert", found)
	}
}

func TestAnAliasThatHidesSomethingIsFound(t *testing.T) {
	g := NewWithT(t)
	of := func(declared string) []finding {
		files, err := readTree(fstest.MapFS{
			"a/a.go":          {Data: []byte("package a\n\nimport \"" + module + "/internal/b\"\n\ntype T = b.T\n")},
			"internal/b/b.go": {Data: []byte("package b\n\n" + declared)},
		})
		g.Expect(err).NotTo(HaveOccurred())
		return hidingAliases(files, "a")
	}
	g.Expect(of("type T struct{ F int }\n")).To(HaveLen(1))
	g.Expect(of("type T int\n\nfunc (t *T) M() {}\n")).To(HaveLen(1))
	g.Expect(of("type T interface{ M() }\n")).To(HaveLen(1))
	g.Expect(of("type T []byte\n\nfunc (t T) m() {}\n\ntype U struct{ F int }\n")).To(BeEmpty())
}

// hidingAliases finds aliases in the packages of a room that users see, of types in packages that they do not: go doc
// shows none of the fields and methods of those.
func hidingAliases(files []*file, room string) (found []finding) {
	for _, f := range files {
		if !ours(f) || !within(f.path, room) {
			continue
		}
		for _, d := range f.syntax.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range gen.Specs {
				t, ok := s.(*ast.TypeSpec)
				if !ok || !t.Assign.IsValid() || !t.Name.IsExported() {
					continue
				}
				if dir, name := aliased(f, t.Type); dir != "" && shows(files, dir, name) {
					found = append(found, finding{
						f.path, f.line(t.Pos()),
						fmt.Sprintf("%s is an alias of %s.%s, which has fields or methods", t.Name.Name, dir, name),
					})
				}
			}
		}
	}
	return found
}

// aliased is the directory and name of the type, if it is of an internal package of ours.
func aliased(f *file, t ast.Expr) (dir, name string) {
	sel, ok := t.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	for _, i := range f.syntax.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		if dir, ok := strings.CutPrefix(p, module+"/"); ok && strings.Contains("/"+dir, "/internal/") &&
			imported(f, p) == fmt.Sprint(sel.X) {
			return dir, sel.Sel.Name
		}
	}
	return "", ""
}

// shows tells whether the type has exported fields or methods.
func shows(files []*file, dir, name string) (yes bool) {
	for _, f := range files {
		if !ours(f) || path.Dir(f.path) != dir {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil && n.Name.IsExported() && receiver(n) == name {
					yes = true
				}
				return false
			case *ast.TypeSpec:
				var members *ast.FieldList
				switch t := n.Type.(type) {
				case *ast.StructType:
					members = t.Fields
				case *ast.InterfaceType:
					members = t.Methods
				}
				if n.Name.Name == name && members != nil {
					for _, m := range members.List {
						for _, id := range m.Names {
							yes = yes || id.IsExported()
						}
					}
				}
			}
			return true
		})
	}
	return yes
}

// receiver is the name of a method's type.
func receiver(fn *ast.FuncDecl) (name string) {
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}
