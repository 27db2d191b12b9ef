package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"unicode/utf8"
)

const (
	maxColumns = 120
	tabColumns = 4
)

// columns is how wide a text is where a tab is as wide as four letters.
func columns(text string) int {
	return utf8.RuneCountInString(text) + (tabColumns-1)*strings.Count(text, "\t")
}

// longLines finds lines of Go that are too wide. One that is half full of a raw string, such as a struct tag or text of
// another language, is let off: that cannot be broken.
func longLines(f *file) (found []finding) {
	if f.syntax == nil {
		return nil
	}
	var raw map[int]int // columns of raw strings by line, if a line is too wide
	n := 0
	for line := range strings.Lines(f.text) {
		n++
		wide := columns(strings.TrimRight(line, "\r\n"))
		if wide <= maxColumns {
			continue
		}
		if raw == nil {
			raw = rawColumns(f)
		}
		if raw[n] < maxColumns/2 {
			text := fmt.Sprintf("%d columns with tabs of %d, at most %d", wide, tabColumns, maxColumns)
			found = append(found, finding{f.path, n, text})
		}
	}
	return found
}

// rawColumns is how many columns of each line are of raw strings.
func rawColumns(f *file) map[int]int {
	raw := map[int]int{}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && lit.Value[0] == '`' {
			at := f.line(lit.Pos())
			for line := range strings.Lines(lit.Value) {
				raw[at] += columns(strings.TrimRight(line, "\r\n"))
				at++
			}
		}
		return true
	})
	return raw
}
