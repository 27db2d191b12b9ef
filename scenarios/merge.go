package scenarios

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// merge puts in the place of YAML's merge key, <<, the keys of the mappings that it names, in every mapping from n on,
// which has no alias of itself. A key that is written out wins over one that is merged, and of several mappings the
// first.
func (d *decoder) merge(n *yaml.Node, done map[*yaml.Node]bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if done[n] {
		return
	}
	done[n] = true
	for _, c := range n.Content {
		d.merge(c, done)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value != "<<" || key.Style != 0 {
			i += 2
			continue
		}
		n.Content = slices.Delete(n.Content, i, i+2)
		d.mergeFrom(n, value)
	}
}

// mergeFrom adds to a mapping what it lacks of another, or of a list of such.
func (d *decoder) mergeFrom(n, from *yaml.Node) {
	at := from
	if from.Kind == yaml.AliasNode {
		from = from.Alias
	}
	switch from.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(from.Content); i += 2 {
			if _, have := lookup(n, from.Content[i].Value); have == nil {
				n.Content = append(n.Content, from.Content[i], from.Content[i+1])
			}
		}
	case yaml.SequenceNode:
		for _, c := range from.Content {
			d.mergeFrom(n, c)
		}
	default:
		d.problem(at, "<<: want the keys and values of an anchor, such as *common, or a list of such, got %s",
			kindName(from))
	}
}
