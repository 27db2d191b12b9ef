package tidy

import (
	"go/ast"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	. "github.com/onsi/gomega"
)

// parts are directories whose packages nobody but this module's own programs and tests has a use for, though they can
// be imported.
var parts = map[string]string{
	"cmd": "commands", "ci/v2": "a guest's program", "reports/browsertest": "a test of the page",
	"reports/storm": "makes runs for tests", "scenarios/drivers": "files of others' languages",
	"scenarios/matrix": "a table of the command's", "scenarios/programs": "files of others' languages",
	"scenarios/schematest": "a test of the schema", "scenarios/scratch": "where runs keep their files",
	"scenarios/shrink": "a search of the command's", "workers/check": "an examination of the command's",
	"workers/reference": "a program",
}

// kinds of targets are used by their rows of scenarios/targets, which has the example.
const kindsOfTargets = "scenarios/targets/"

func TestEveryPackageThatOthersUseHasAnExample(t *testing.T) {
	files, err := readTree(os.DirFS(root))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, dir := range unexampled(files) {
		t.Errorf("%s has no example\n\tinstead: write a func Example in a file example_test.go there, short and "+
			"true, with its output where that is always the same\n"+
			"\twhy: whoever meets a package wants to see it used, and what is compiled stays true", dir)
	}
}

func TestAPackageWithoutAnExampleIsFound(t *testing.T) {
	g := NewWithT(t)
	files, err := readTree(fstest.MapFS{
		"a/a.go":                   {Data: []byte("package a\n")},
		"a/a_test.go":              {Data: []byte("package a\n\nfunc TestA() {}\n\nfunc (t) Example() {}\n")},
		"b/b.go":                   {Data: []byte("package b\n")},
		"b/b_test.go":              {Data: []byte("package b_test\n\nfunc ExampleB() {}\n")},
		"c/c.go":                   {Data: []byte("package main\n")},
		"d/internal/e/e.go":        {Data: []byte("package e\n")},
		"scenarios/targets/x/x.go": {Data: []byte("package x\n")},
		"scenarios/drivers/x.go":   {Data: []byte("package drivers\n")},
		"f/f_test.go":              {Data: []byte("package f\n")},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unexampled(files)).To(Equal([]string{"a"}))
}

// unexampled are the directories of packages that others can use, and that have no example.
func unexampled(files []*file) (dirs []string) {
	has := map[string]bool{}
	for _, f := range files {
		dir := path.Dir(f.path)
		if f.syntax == nil || f.syntax.Name.Name == "main" || slices.Contains(strings.Split(dir, "/"), "internal") ||
			strings.HasPrefix(dir, kindsOfTargets) {
			continue
		}
		if !f.isTest() {
			if _, there := has[dir]; !there {
				has[dir] = false
			}
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example") {
				has[dir] = true
			}
		}
	}
	for dir, yes := range has {
		part := false
		for p := range parts {
			part = part || within(dir, p)
		}
		if !yes && !part {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}
