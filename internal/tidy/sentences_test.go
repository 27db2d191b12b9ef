package tidy

import (
	"go/ast"
	"go/token"
)

// looksInside are functions of package strings, and methods of a regexp, that decide by what a text says.
var looksInside = map[string]bool{
	"Contains": true, "HasPrefix": true, "HasSuffix": true, "Index": true, "LastIndex": true, "EqualFold": true,
	"Cut": true, "CutPrefix": true, "CutSuffix": true, "Split": true, "SplitN": true, "SplitAfter": true,
	"MatchString": true, "FindString": true, "FindStringSubmatch": true, "FindAllString": true,
	"FindAllStringSubmatch": true,
}

// prose are fields that hold sentences. A library's text is one of these too: what is read of it says so in words of
// its own.
var prose = map[string]bool{"Cause": true, "Text": true, "Err": true, "Reason": true}

// readsOldRecords is the file that makes fields of what earlier versions wrote as sentences.
const readsOldRecords = "chaos/history/older.go"

// noSentences finds code that decides by the text of an error, of a verdict's cause, or of a field that is for people.
func noSentences(f *file) (found []finding) {
	if !ours(f) || f.path == readsOldRecords {
		return nil
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && looksInside[sel.Sel.Name] && len(n.Args) > 0 &&
				isProse(n.Args[0]) {
				found = append(found, finding{f.path, f.line(n.Pos()), "a sentence is looked into"})
			}
		case *ast.BinaryExpr:
			text := isLiteral(n.X) && isProse(n.Y) || isLiteral(n.Y) && isProse(n.X)
			if (n.Op == token.EQL || n.Op == token.NEQ) && text {
				found = append(found, finding{f.path, f.line(n.Pos()), "a sentence is compared"})
			}
		}
		return true
	})
	return found
}

// isProse tells whether the expression has an error's text or a field for people in it. A method of such a name is
// none.
func isProse(e ast.Expr) (yes bool) {
	calls := map[ast.Node]bool{}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			yes = yes || ok && sel.Sel.Name == "Error" && len(n.Args) == 0
			calls[n.Fun] = true
		case *ast.SelectorExpr:
			yes = yes || prose[n.Sel.Name] && !calls[n]
		}
		return true
	})
	return yes
}

func isLiteral(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && lit.Value != `""`
}
