package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// file is one file of the tree; syntax is nil for what is not Go.
type file struct {
	path   string
	text   string
	fset   *token.FileSet
	syntax *ast.File
}

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *file) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// notOurs is what builds and runs leave behind, or version control keeps.
var notOurs = map[string]bool{
	".git": true, "bin": true, "out": true, "respawn-out": true, "node_modules": true, ".cache": true, "testdata": true,
}

// readTree reads every file of ours below the root.
func readTree(root fs.FS) (files []*file, err error) {
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && notOurs[path.Base(name)]:
			return fs.SkipDir
		case !d.Type().IsRegular() || notOurs[path.Base(name)]: // .git is a file in a linked work tree
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f := &file{path: name, text: string(text), fset: token.NewFileSet()}
		if strings.HasSuffix(name, ".go") {
			if f.syntax, err = parser.ParseFile(f.fset, name, text, parser.ParseComments); err != nil {
				return fmt.Errorf("parse: %w", err)
			}
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// finding is one place that breaks a rule.
type finding struct {
	path string
	line int
	text string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text) }
