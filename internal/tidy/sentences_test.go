package tidy

import (
	"go/ast"
	"go/token"
)

// looksInside are functions of package strings, and methods of a regexp, that decide by what a text says.
var looksInside = map[string]bool{
	"Contains": true, "ContainsAny": true, "HasPrefix": true, "HasSuffix": true, "Index": true, "LastIndex": true, "EqualFold": true,
	"Cut": true, "CutPrefix": true, "CutSuffix": true, "Split": true, "SplitN": true, "SplitAfter": true,
	"MatchString": true, "FindString": true, "FindStringSubmatch": true, "FindAllString": true, "FindAllStringSubmatch": true,
}

// noSentences finds code that decides by the text of an error or of a verdict's cause.
func noSentences(f *file) (found []finding) {
	if !ours(f) {
		return nil
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && looksInside[sel.Sel.Name] && len(n.Args) > 0 && isProse(n.Args[0]) {
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

// isProse tells whether the expression has an error's text or a cause in it.
func isProse(e ast.Expr) (yes bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			yes = yes || ok && sel.Sel.Name == "Error" && len(n.Args) == 0
		case *ast.SelectorExpr:
			yes = yes || n.Sel.Name == "Cause"
		}
		return true
	})
	return yes
}

func isLiteral(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && lit.Value != `""`
}
