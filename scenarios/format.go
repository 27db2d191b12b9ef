package scenarios

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Format rewrites a scenario's text in the canonical form: keys in the order of the format's page, two spaces of
// indent, comments kept. Formatting again changes nothing, and the meaning stays the same. The error is [Problems] when
// the text is not YAML.
func Format(file string, text []byte) ([]byte, error) {
	d := &decoder{file: file, at: map[string]*yaml.Node{}}
	var doc yaml.Node
	root, ok := d.document(text)
	if !ok {
		return nil, d.problems.err()
	}
	if err := yaml.Load(text, &doc, yaml.WithUniqueKeys(false)); err == nil && doc.Kind == yaml.DocumentNode {
		doc.Content[0] = root
		root = &doc
	}
	if !aliased(root) { // an anchor must come before its aliases: such a document keeps its order
		arrange(root, reflect.TypeFor[Scenario]())
	}
	return dump(root)
}

// dump writes a document in the canonical layout.
func dump(root *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	d, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(120))
	if err != nil {
		return nil, err
	}
	if err := d.Dump(root); err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// arrange puts the keys of mappings into the order of the fields that they set.
func arrange(n *yaml.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.DocumentNode && len(n.Content) > 0:
		arrange(n.Content[0], t)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, c := range n.Content {
			arrange(c, t.Elem())
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields, t := fieldsOf(t), shapeOf(t)
		type pair struct {
			key, value *yaml.Node
			index      int
		}
		pairs := make([]pair, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			p := pair{n.Content[i], n.Content[i+1], len(fields) + i}
			if f, ok := fields[p.key.Value]; ok {
				p.index = f.index
				arrange(p.value, t.Field(f.index).Type)
			}
			pairs = append(pairs, p)
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.index, b.index) })
		n.Content = n.Content[:0]
		for _, p := range pairs {
			n.Content = append(n.Content, p.key, p.value)
		}
	}
}

// aliased tells whether the document has aliases.
func aliased(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, aliased)
}
