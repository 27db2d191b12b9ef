package scenarios

import (
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/scenarios/targets"
)

// Overrides is values by dotted path ("chaos.0.when.for"), kept as YAML until they are put in place.
type Overrides struct{ node *yaml.Node }

const shortKey = "short"

// shortOf is the mapping under the document's key short, nil without one.
func shortOf(root *yaml.Node) *yaml.Node {
	if _, v := lookup(root, shortKey); v != nil && v.Kind == yaml.MappingNode {
		return v
	}
	return nil
}

// override returns a copy of the document with the values of over, a mapping of paths, in place.
func (d *decoder) override(root, over *yaml.Node) *yaml.Node {
	root = clone(root)
	for i := 0; i+1 < len(over.Content); i += 2 {
		d.put(root, over.Content[i], over.Content[i+1])
	}
	return root
}

// set returns a copy of the document with "path=value" settings in place. Their mistakes are reported by the setting's
// own text.
func (d *decoder) set(root *yaml.Node, settings []string) *yaml.Node {
	root = clone(root)
	for _, s := range settings {
		path, text, ok := strings.Cut(s, "=")
		var doc yaml.Node
		if !ok || path == "" {
			d.problems = append(d.problems,
				Problem{File: "--set " + s, Text: "want path=value, such as chaos.0.when.for=5s"})
			continue
		}
		if err := yaml.Load([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
			doc = yaml.Node{Kind: yaml.ScalarNode, Value: text}
		} else if expanded(&doc, maxNodes) > maxNodes {
			d.problems = append(d.problems, Problem{File: "--set " + s, Text: "the value has no end"})
			continue
		} else {
			doc = *doc.Content[0]
		}
		d.foreign(&doc, "--set "+s)
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: path}
		d.foreign(key, "--set "+s)
		retarget(root, path, &doc)
		d.put(root, key, &doc)
	}
	return root
}

// retarget makes room for another kind of target than the document's: to set target.driver.command means that driver
// and no other target, with as many members unless a setting says how many.
func retarget(root *yaml.Node, path string, value *yaml.Node) {
	segments := strings.Split(path, ".")
	_, target := lookup(root, "target")
	if segments[0] != "target" || target == nil || target.Kind != yaml.MappingNode || len(target.Content) != 2 {
		return
	}
	_, size := lookup(target.Content[1], "size")
	switch {
	case len(segments) == 1 && value.Kind == yaml.MappingNode && len(value.Content) == 2:
		if targets.Of(value.Content[0].Value).Name != "" {
			keepSize(value.Content[0].Value, value.Content[1], size)
		}
	case len(segments) > 1 && targets.Of(segments[1]).Name != "" && segments[1] != target.Content[0].Value:
		settings := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: target.Line, Column: target.Column}
		keepSize(segments[1], settings, size)
		target.Content = []*yaml.Node{word(segments[1], target), settings}
		if len(segments) == 2 {
			keepSize(segments[1], value, size)
		}
	}
}

// keepSize adds the size to the settings of a target of that kind that have none, if targets of that kind have a size.
func keepSize(kind string, settings, size *yaml.Node) {
	_, sized := fieldsOf(reflect.TypeOf(targets.Of(kind).New()).Elem())["size"]
	if !sized || size == nil || settings.Kind != yaml.MappingNode {
		return
	}
	if _, own := lookup(settings, "size"); own == nil {
		settings.Content = append(settings.Content, word("size", size), clone(size))
	}
}

// word is a key at the place of another node.
func word(text string, at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: at.Line, Column: at.Column}
}

// foreign marks a node, and all below it, as not from the file.
func (d *decoder) foreign(n *yaml.Node, source string) {
	if d.source == nil {
		d.source = map[*yaml.Node]string{}
	}
	d.source[n] = source
	for _, c := range n.Content {
		d.foreign(c, source)
	}
}

// put sets what the path in key names to value; null takes it away.
func (d *decoder) put(root, key, value *yaml.Node) {
	segments := strings.Split(key.Value, ".")
	if meant := meant(root, key.Value); meant != "" {
		d.problem(key, "unknown key %q: did you mean %s?", key.Value, meant)
		return
	}
	at := root
	for i, s := range segments {
		last := i == len(segments)-1
		switch at.Kind {
		case yaml.MappingNode:
			index, have := lookup(at, s)
			switch {
			case last && value.Tag == "!!null" && have != nil:
				at.Content = append(at.Content[:index:index], at.Content[index+2:]...)
				return
			case last && have != nil:
				at.Content[index+1] = value
				return
			case last:
				at.Content = append(at.Content, renamed(key, s, d), value)
				return
			case have == nil:
				have = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: key.Line, Column: key.Column}
				at.Content = append(at.Content, renamed(key, s, d), have)
			}
			at = have
		case yaml.SequenceNode:
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n >= len(at.Content) {
				d.problem(key, "%q: there is no entry %q in a list of %d, counted from 0",
					key.Value, s, len(at.Content))
				return
			}
			if last {
				at.Content[n] = value
				return
			}
			at = at.Content[n]
		default:
			d.problem(key, "%q: %q is one value and has no %q in it", key.Value, strings.Join(segments[:i], "."), s)
			return
		}
	}
}

// meant is the dotted path that somebody meant who wrote only its last key; "" when no path of the document ends in it,
// or several do, and for a key that a scenario has at its top.
func meant(root *yaml.Node, key string) string {
	if _, known := fieldsOf(reflect.TypeFor[Scenario]())[key]; known {
		return ""
	}
	var found []string
	var walk func(path string, n *yaml.Node)
	walk = func(path string, n *yaml.Node) {
		for i, c := range n.Content {
			switch {
			case path == shortKey: // its keys are paths themselves
			case path == "" && i%2 == 1 && isExtension(n.Content[i-1].Value):
			case n.Kind == yaml.SequenceNode:
				walk(join(path, strconv.Itoa(i)), c)
			case n.Kind == yaml.MappingNode && i%2 == 1:
				at := join(path, n.Content[i-1].Value)
				if n.Content[i-1].Value == key {
					found = append(found, at)
				}
				walk(at, c)
			}
		}
	}
	walk("", root)
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// renamed is a key node for one segment of a path, at the path's position.
func renamed(key *yaml.Node, segment string, d *decoder) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: segment, Line: key.Line, Column: key.Column}
	if s, ok := d.source[key]; ok {
		d.source[n] = s
	}
	return n
}

// lookup finds a key of a mapping: the index of its node, and its value; nil when it is not there.
func lookup(n *yaml.Node, key string) (index int, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i, n.Content[i+1]
		}
	}
	return 0, nil
}

// clone copies a tree; aliases become what they stand for, so that a change below one does not show at another.
func clone(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c := *n
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = clone(child)
	}
	return &c
}

// effectiveText is a scenario after its overrides, without them: what a history keeps, so that a replay runs the same.
func effectiveText(root *yaml.Node) ([]byte, error) {
	root = clone(root)
	if i, short := lookup(root, shortKey); short != nil {
		root.Content = append(root.Content[:i:i], root.Content[i+2:]...)
	}
	return dump(root)
}
