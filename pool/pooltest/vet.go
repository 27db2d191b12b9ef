package pooltest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/respawn-go/respawn/pool"
)

// Vet looks for what a handler takes from main and does not get, since a worker runs nothing of main after pool.Main: a
// package-level variable that a handler or an initializer reads and that only code which no worker runs sets, a flag,
// os.Args. Each is an error of the test, with both places. In the directory of a program, it is a test of one line:
//
//	func TestHandlersNeedNothingOfMain(t *testing.T) { pooltest.Vet(t) }
//
// It reads the source of the packages in these directories, the current one if none is named, and of those of their
// module that they import; test files are left out, since what they share with handlers may be meant, as with
// InProcess. What workers run is found by name: handlers, initializers, init functions, what variables are declared
// with, what main does before pool.Main, and all functions that these mention. So a handler that is called only through
// a variable is overlooked, and no finding is proof that there is none.
func Vet(t testing.TB, dirs ...string) {
	t.Helper()
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	for _, dir := range dirs {
		found, err := vet(dir)
		if err != nil {
			t.Error(err)
		}
		for _, f := range found {
			t.Error(f)
		}
	}
}

// vet tells what Vet finds in the package of that directory.
func vet(dir string) ([]string, error) {
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	inWorkers := s.reach(s.runInWorkers)
	var found []finding
	for _, h := range s.handlers {
		for n := range s.reach([]ast.Node{h}) {
			found = append(found, s.missed(n, h, inWorkers)...)
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return cmp.Compare(a.at, b.at) })
	var said []string
	seen := map[string]bool{}
	for _, f := range found {
		if !seen[f.what] {
			seen[f.what] = true
			said = append(said, fmt.Sprintf("%v: %s", s.files.Position(f.at), f.text))
		}
	}
	return said, nil
}

// finding is one thing that a handler does not have, what, and where it reads it first.
type finding struct {
	at         token.Pos
	what, text string
}

// source is the packages that are looked at.
type source struct {
	files    *token.FileSet
	info     *types.Info
	root     string // where the module is
	path     string // its path
	packages map[string]*types.Package

	bodies       map[types.Object]ast.Node // of each function
	methods      map[string][]ast.Node     // by name, since an interface's method can be any
	declared     map[types.Object]ast.Expr // what a package-level variable begins with
	handlers     []ast.Node                // and initializers
	runInWorkers []ast.Node                // what a worker runs beside
	writes       map[types.Object][]write
}

// write is a place where a variable is set, in a function, or in what a variable is declared with.
type write struct {
	at     ast.Node
	by     ast.Node
	byName string
	flag   bool // by the flag package, or one like it
}

// load reads the package and those of its module that it imports. What is not of the module is not looked at, so that
// its names have no types: that is enough to tell which of the module's own variables and functions is meant.
func load(dir string) (*source, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &source{
		files: token.NewFileSet(),
		info: &types.Info{
			Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{},
		},
		packages: map[string]*types.Package{}, bodies: map[types.Object]ast.Node{}, methods: map[string][]ast.Node{},
		declared: map[types.Object]ast.Expr{}, writes: map[types.Object][]write{},
	}
	for s.root = dir; ; s.root = filepath.Dir(s.root) {
		mod, err := os.ReadFile(filepath.Join(s.root, "go.mod"))
		if m := module.FindSubmatch(mod); err == nil && m != nil {
			s.path = string(m[1])
			break
		}
		if s.root == filepath.Dir(s.root) {
			return nil, fmt.Errorf("vet %s: there is no go.mod in it or above it", dir)
		}
	}
	rel, err := filepath.Rel(s.root, dir)
	if err != nil {
		return nil, err
	}
	if _, err := s.Import(strings.TrimSuffix(s.path+"/"+filepath.ToSlash(rel), "/.")); err != nil {
		return nil, fmt.Errorf("vet %s: %w", dir, err)
	}
	return s, nil
}

var (
	module   = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)
	poolPath = reflect.TypeFor[pool.Config]().PkgPath()
)

// Import implements types.Importer, which a package's own imports are asked of.
func (s *source) Import(path string) (*types.Package, error) {
	if p := s.packages[path]; p != nil {
		return p, nil
	}
	below, ok := strings.CutPrefix(path+"/", s.path+"/")
	if !ok || path == poolPath {
		return nil, fmt.Errorf("%s is not of the module", path)
	}
	dir := filepath.Join(s.root, filepath.FromSlash(below))
	found, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range append(found.GoFiles, found.CgoFiles...) {
		f, err := parser.ParseFile(s.files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	checked := types.Config{Importer: s, FakeImportC: true, Error: func(error) {}}
	p, _ := checked.Check(path, s.files, files, s.info) // its errors are about what is not looked at
	s.packages[path] = p
	for _, f := range files {
		s.read(f)
	}
	return p, nil
}

// read notes what the file declares, and what it gives to the pool.
func (s *source) read(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				s.readFunc(d)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
					s.readVar(v)
				}
			}
		}
	}
}

func (s *source) readFunc(d *ast.FuncDecl) {
	s.bodies[s.info.Defs[d.Name]] = d.Body
	switch {
	case d.Recv != nil:
		s.methods[d.Name.Name] = append(s.methods[d.Name.Name], d.Body)
	case d.Name.Name == "init":
		s.runInWorkers = append(s.runInWorkers, d.Body)
	case d.Name.Name == "main":
		for i, statement := range d.Body.List {
			if call, ok := statement.(*ast.ExprStmt); ok && s.isCall(call.X, poolPath, "Main") {
				before := &ast.BlockStmt{List: d.Body.List[:i]}
				s.runInWorkers = append(s.runInWorkers, before)
				s.inspect(before, d.Name.Name)
				s.inspect(&ast.BlockStmt{List: d.Body.List[i:]}, d.Name.Name)
				return
			}
		}
	}
	s.inspect(d.Body, d.Name.Name)
}

func (s *source) readVar(v *ast.ValueSpec) {
	for _, value := range v.Values {
		s.runInWorkers = append(s.runInWorkers, value)
		s.inspect(value, v.Names[0].Name)
	}
	for i, name := range v.Names {
		if len(v.Values) == len(v.Names) {
			s.declared[s.info.Defs[name]] = v.Values[i]
		}
	}
}

// inspect notes the handlers and the assignments in a function.
func (s *source) inspect(body ast.Node, name string) {
	note := func(target ast.Expr, at ast.Node, flag bool) {
		if v := s.variable(target); v != nil {
			s.writes[v] = append(s.writes[v], write{at, body, name, flag})
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, target := range n.Lhs {
				note(target, n, false)
			}
		case *ast.IncDecStmt:
			note(n.X, n, false)
		case *ast.RangeStmt:
			note(n.Key, n, false)
			note(n.Value, n, false)
		case *ast.CallExpr:
			for _, arg := range n.Args {
				if address, ok := arg.(*ast.UnaryExpr); ok && address.Op == token.AND {
					note(address.X, n, isFlagVar.MatchString(calledName(n)))
				}
			}
			if s.isCall(n, poolPath, "Register", "RegisterCodec", "RegisterInit") && len(n.Args) > 0 {
				s.handlers = append(s.handlers, n.Args[len(n.Args)-1])
			}
		}
		return true
	})
}

var isFlagVar = regexp.MustCompile(`Var(P|PF)?$|^Func$`)

// variable is the package-level variable of the module that is set where target is; nil if it is another one.
func (s *source) variable(target ast.Expr) types.Object {
	for {
		switch t := target.(type) {
		case *ast.Ident:
			if v, ok := s.info.Uses[t].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				return v
			}
			return nil
		case *ast.SelectorExpr:
			if v := s.variable(t.Sel); v != nil {
				return v // of another package
			}
			target = t.X
		case *ast.IndexExpr:
			target = t.X
		case *ast.StarExpr:
			target = t.X
		case *ast.ParenExpr:
			target = t.X
		default:
			return nil
		}
	}
}

// isCall tells whether e calls one of the package's functions.
func (s *source) isCall(e ast.Expr, path string, names ...string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun := call.Fun
	switch f := fun.(type) { // its type arguments
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	return ok && s.isOf(sel, path) && slices.Contains(names, sel.Sel.Name)
}

// isOf tells whether the selector names something of that package.
func (s *source) isOf(sel *ast.SelectorExpr, path string) bool {
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	p, ok := s.info.Uses[x].(*types.PkgName)
	return ok && p.Imported().Path() == path
}

func calledName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// reach is what runs when these do: they themselves, and the bodies of all functions that are mentioned there.
func (s *source) reach(roots []ast.Node) map[ast.Node]bool {
	reached := map[ast.Node]bool{}
	for len(roots) > 0 {
		n := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		if n == nil || reached[n] {
			continue
		}
		reached[n] = true
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if f, ok := s.info.Uses[id].(*types.Func); ok {
					if s.bodies[f.Origin()] != nil {
						roots = append(roots, s.bodies[f.Origin()])
					} else { // an interface's
						roots = append(roots, s.methods[f.Name()]...)
					}
				}
			}
			return true
		})
	}
	return reached
}

// missed tells what the handler does not get of what is read in n.
func (s *source) missed(n, handler ast.Node, inWorkers map[ast.Node]bool) (found []finding) {
	report := func(at ast.Node, what, text string) {
		in := ""
		if n != handler {
			in = fmt.Sprintf(" at %v", s.files.Position(handler.Pos()))
		}
		found = append(found, finding{at.Pos(), what, fmt.Sprintf(
			"the handler%s reads %s. Give it in the argument, in Config.Env, or to Config.Initializer", in, text)})
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if s.isOf(n, "os") && n.Sel.Name == "Args" {
				report(n, "os.Args", "os.Args, which in a worker is the worker's name alone")
			}
			if s.isOf(n, "flag") {
				report(n, "flag."+n.Sel.Name, "flag."+n.Sel.Name+", and a worker parses no flags")
			}
		case *ast.Ident:
			v, ok := s.info.Uses[n].(*types.Var)
			if !ok || s.variable(n) == nil {
				return true
			}
			name := v.Pkg().Path() + "." + v.Name()
			if call, ok := s.declared[v].(*ast.CallExpr); ok && s.isFlag(call) {
				report(n, name, v.Name()+", a flag, and a worker parses none: it has the default there")
				return true
			}
			if w, is := s.hosts(v, inWorkers); is {
				at := s.files.Position(w.at.Pos())
				if w.flag {
					report(n, name,
						fmt.Sprintf("%s, a flag's by %v, and a worker parses none: it has the default there",
							v.Name(), at))
				} else {
					report(n, name,
						fmt.Sprintf("%s, which %s sets at %v and no worker does: it is as it was declared there",
							v.Name(), w.byName, at))
				}
			}
		}
		return true
	})
	return found
}

// isFlag tells whether the call declares a flag.
func (s *source) isFlag(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name != "NewFlagSet" && (s.isOf(sel, "flag") || s.isOf(sel, "github.com/spf13/pflag"))
}

// hosts finds what sets the variable in the host alone; false if workers set it too, or nobody does.
func (s *source) hosts(v types.Object, inWorkers map[ast.Node]bool) (w write, is bool) {
	for _, at := range s.writes[v] {
		switch {
		case at.flag:
			return at, true
		case inWorkers[at.by]:
			return write{}, false
		case !is:
			w, is = at, true
		}
	}
	return w, is
}
