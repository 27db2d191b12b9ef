package tidy

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

const (
	module       = "github.com/respawn-go/respawn"
	maxFuncLines = 70
)

// lines is n lines that mean nothing.
func lines(n int) string { return strings.Repeat("\n", n) }

// letters is a word of n letters.
func letters(n int) string { return strings.Repeat("x", n) }

// ours tells whether f is Go that is not a test.
func ours(f *file) bool { return f.syntax != nil && !f.isTest() }

func shortFuncs(f *file) (found []finding) {
	if !ours(f) {
		return nil
	}
	for _, d := range f.syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := f.line(fn.Pos()), f.line(fn.End())
		if n := last - first + 1; n > maxFuncLines {
			found = append(found,
				finding{f.path, first, fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, n, maxFuncLines)})
		}
	}
	return found
}

// noInit finds init functions of packages that others import. A command decides for itself.
func noInit(f *file) (found []finding) {
	if !ours(f) || strings.HasPrefix(f.path, "cmd/") {
		return nil
	}
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, finding{f.path, f.line(fn.Pos()), "init acts whenever the package is imported"})
		}
	}
	return found
}

// documented asks for a comment on every exported top-level name and on the exported methods of exported types. Error,
// String and Unwrap may go without: the standard library says what they do.
func documented(f *file) (found []finding) {
	if !ours(f) || f.syntax.Name.Name == "main" {
		return nil
	}
	missing := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		for _, doc := range docs {
			if doc != nil {
				return
			}
		}
		found = append(found, finding{f.path, f.line(name.Pos()), name.Name + " has no doc comment"})
	}
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiverExported(d) && !wellKnown[d.Name.Name] {
				missing(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					missing(s.Name, d.Doc, s.Doc)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						missing(name, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
	return found
}

var wellKnown = map[string]bool{"Error": true, "String": true, "Unwrap": true}

// receiverExported tells whether a method's type is exported.
func receiverExported(fn *ast.FuncDecl) bool {
	exported, named := false, false
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !named { // the type parameters come after the name
			exported, named = id.IsExported(), true
		}
		return true
	})
	return exported
}

// imported is the name under which the file knows a package, "" if it does not.
func imported(f *file, importPath string) string {
	for _, i := range f.syntax.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); p == importPath {
			if i.Name != nil {
				return i.Name.Name
			}
			return importPath[strings.LastIndexByte(importPath, '/')+1:]
		}
	}
	return ""
}

func noSleep(f *file) (found []finding) {
	if f.syntax == nil || !f.isTest() {
		return nil
	}
	clock := imported(f, "time")
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && clock != "" && x.Name == clock {
				found = append(found, finding{f.path, f.line(sel.Pos()), "time.Sleep in a test"})
			}
		}
		return true
	})
	return found
}

func noRetry(f *file) (found []finding) {
	if f.syntax == nil || !f.isTest() {
		return nil
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			name = fn.Name
		case *ast.SelectorExpr:
			name = fn.Sel.Name
		}
		switch {
		case name == "FlakeAttempts", name == "SkipNow":
			found = append(found, finding{f.path, f.line(call.Pos()), name})
		case name == "Skip" && (len(call.Args) == 0 || isEmptyString(call.Args[0])):
			found = append(found, finding{f.path, f.line(call.Pos()), "Skip without a reason"})
		}
		return true
	})
	return found
}

func isEmptyString(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && len(lit.Value) == 2
}

var drawer = regexp.MustCompile(`^(\w*utils?|common|helpers?|misc|shared|base)$`)

func noDrawers(f *file) []finding {
	if f.syntax != nil && drawer.MatchString(strings.TrimSuffix(f.syntax.Name.Name, "_test")) {
		return []finding{{f.path, f.line(f.syntax.Package), "package " + f.syntax.Name.Name}}
	}
	return nil
}

func formatted(f *file) []finding {
	if f.syntax == nil {
		return nil
	}
	if want, err := format.Source([]byte(f.text)); err != nil || string(want) != f.text {
		return []finding{{f.path, 1, "not formatted"}}
	}
	return nil
}
