package tidy

import (
	"go/ast"
	"strings"
)

// faultsPlace finds types of faults outside their room, and code that recognises a fault instead of asking what it is
// like. A mix is the engine's: the plan resolves it.
func faultsPlace(f *file) (found []finding) {
	if !ours(f) || strings.HasPrefix(f.path, "chaos/faults/") {
		return nil
	}
	named := func(e ast.Expr) bool {
		sel, ok := e.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == "faults"
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if begins(n) && receiver(n) != "Mixed" {
				found = append(found, finding{f.path, f.line(n.Pos()), "a fault outside chaos/faults"})
			}
		case *ast.TypeAssertExpr:
			if named(n.Type) {
				found = append(found, finding{f.path, f.line(n.Pos()), "a fault is recognised by its type"})
			}
		case *ast.TypeSwitchStmt:
			for _, s := range n.Body.List {
				for _, e := range s.(*ast.CaseClause).List {
					if named(e) {
						found = append(found, finding{f.path, f.line(e.Pos()), "a fault is recognised by its type"})
					}
				}
			}
		}
		return true
	})
	return found
}

// begins tells whether it is the method of a fault that makes an injection.
func begins(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || fn.Name.Name != "Begin" || fn.Type.Results == nil || len(fn.Type.Results.List) != 1 {
		return false
	}
	switch t := fn.Type.Results.List[0].Type.(type) {
	case *ast.Ident:
		return t.Name == "Injection"
	case *ast.SelectorExpr:
		return t.Sel.Name == "Injection"
	}
	return false
}
