package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/faults"
)

// A row and the type that it names are enough for a fault to be read, checked, listed and injected, so they have to be
// whole.
func TestEachRowIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range faults.Kinds() {
		g := NewWithT(t)
		g.Expect(k.Name).To(MatchRegexp(`^[a-z]+$`))
		g.Expect(seen[k.Name]).To(BeFalse(), "%s is there twice", k.Name)
		seen[k.Name] = true
		g.Expect(k.Doc).To(MatchRegexp(`^[A-Z].*\.$`), k.Name)
		g.Expect(k.Receipt).NotTo(BeEmpty(), k.Name)
		zero := reflect.TypeOf(k.Zero)
		g.Expect(zero.Kind()).To(Equal(reflect.Struct), k.Name)
		scalars := 0
		for i := range zero.NumField() {
			f := zero.Field(i)
			g.Expect(f.Tag.Get("doc")).NotTo(BeEmpty(), "%s of %s", f.Name, k.Name)
			g.Expect(f.Type.Kind()).To(BeElementOf(reflect.String, reflect.Int, reflect.Int64, reflect.Float64,
				reflect.Bool), "%s of %s", f.Name, k.Name)
			if tag := f.Tag.Get("yaml"); len(tag) > 7 && tag[len(tag)-7:] == ",scalar" {
				scalars++
			}
		}
		g.Expect(scalars).To(BeNumerically("<=", 1), "a plain word can stand for one parameter of %s", k.Name)
		g.Expect(k.Zero.String()).To(HavePrefix(k.Name), "the record tells it by its name")
	}
}

// A fault says what is wrong with its parameters, and what would be right.
func TestMistakesAreNamed(t *testing.T) {
	g := NewWithT(t)
	g.Expect(faults.Signal{Name: "STOP"}.Validate()).To(MatchError(ContainSubstring("use the fault pause")))
	g.Expect(faults.Signal{Name: "KLL"}.Validate()).To(MatchError(`unknown signal "KLL": did you mean "KILL"?`))
	g.Expect(faults.Pause{For: -time.Second}.Validate()).To(MatchError(ContainSubstring("want a positive duration")))
	g.Expect(faults.OOM{Mechanism: "rss"}.Validate()).To(MatchError(`oom by "rss": want any, cgroup or rlimit`))
	g.Expect(faults.Resize{}.Validate()).To(MatchError("to is missing: the new size, from 1"))
	g.Expect(faults.Crashpoint{}.Validate()).To(MatchError("at is missing: want a crash point such as mid-write"))
	g.Expect(faults.Spawn{}.Validate()).To(MatchError(HavePrefix("want fail (so many boots) or delay")))
}

// A type that can begin an injection and has no row would be a fault that no scenario can name.
func TestEachFaultHasARow(t *testing.T) {
	g := NewWithT(t)
	rows := map[string]bool{}
	for _, k := range faults.Kinds() {
		rows[reflect.TypeOf(k.Zero).Name()] = true
	}
	sources, err := filepath.Glob("*.go")
	g.Expect(err).NotTo(HaveOccurred())
	found := 0
	for _, name := range sources {
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		g.Expect(err).NotTo(HaveOccurred())
		for _, d := range source.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Begin" {
				continue
			}
			of, ok := fn.Recv.List[0].Type.(*ast.Ident)
			g.Expect(ok && rows[of.Name]).To(BeTrue(), "the fault in %s has no row in table.go", name)
			found++
		}
	}
	g.Expect(found).To(Equal(len(rows)))
}
