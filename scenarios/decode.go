package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/internal/nearest"
)

// decoder turns YAML nodes into the types of a scenario by their struct tags and collects every mistake instead of
// stopping at the first:
//
//	yaml:"key"         the key
//	yaml:"key,scalar"  a plain word in the struct's place sets this field: {signal: KILL} for {signal: {name: KILL}}
//	enum:"a b c"       the words a string may be
//	doc:"…"            what it means, for the schema and the format's page
//
// Which keys are required, and what contradicts what, is Scenario.check's to say.
type decoder struct {
	file     string
	problems Problems
	at       map[string]*yaml.Node // where each path was written
	source   map[*yaml.Node]string // of those that are not from the file
	form     string                // " in the short form" while that is checked
}

const (
	maxNodes = 20_000
	maxDepth = 32
)

func (d *decoder) problem(n *yaml.Node, format string, args ...any) {
	p := Problem{File: d.file, Text: fmt.Sprintf(format, args...)}
	if source, ok := d.source[n]; ok {
		p.File = source
	} else if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	d.problems = append(d.problems, p)
}

// reported tells whether something is wrong at the node already.
func (d *decoder) reported(n *yaml.Node) bool {
	return slices.ContainsFunc(d.problems, func(p Problem) bool {
		return p.Line == n.Line && p.Column == n.Column && p.File == cmp.Or(d.source[n], d.file)
	})
}

// decode fills v, which is addressable, from n.
func (d *decoder) decode(path string, n *yaml.Node, v reflect.Value, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > maxDepth {
		d.problem(n, "nested deeper than %d levels", maxDepth)
		return
	}
	d.at[path] = n
	if o, ok := v.Addr().Interface().(*Overrides); ok {
		if o.node = n; n.Kind != yaml.MappingNode {
			d.problem(n, "want dotted paths and their values, got %s", kindName(n))
		}
		return
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		d.scalar(n, s)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(path, n, v.Elem(), depth)
	case reflect.Struct:
		d.structure(path, n, v, depth)
	case reflect.Slice:
		d.list(path, n, v, depth)
	case reflect.Map:
		d.mapping(path, n, v, depth)
	default:
		d.plain(n, v)
	}
}

func (d *decoder) scalar(n *yaml.Node, s scalar) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, "want one value, got %s", kindName(n))
	} else if err := s.parse(n.Value); err != nil {
		d.problem(n, "%v", err)
	}
}

// plain decodes the built-in scalar kinds.
func (d *decoder) plain(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, "want one value, got %s", kindName(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil {
			d.problem(n, "%q is not true or false", n.Value)
		}
		v.SetBool(b)
	case reflect.Uint64:
		u, err := strconv.ParseUint(n.Value, 10, 64)
		if err != nil || leadingZero.MatchString(n.Value) {
			d.problem(n, "%q is not a whole number from 0 without a zero in front", n.Value)
		}
		v.SetUint(u)
	case reflect.Interface:
		v.Set(reflect.ValueOf(n.Value))
	default:
		panic("scenarios: no decoding for " + v.Type().String())
	}
}

func (d *decoder) structure(path string, n *yaml.Node, v reflect.Value, depth int) {
	fields := fieldsOf(v.Type())
	if n.Kind == yaml.ScalarNode {
		for _, f := range fields {
			if f.scalar {
				d.decode(join(path, f.key), n, v.Field(f.index), depth+1)
				d.enum(n, f, v.Field(f.index))
				return
			}
		}
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "want keys and values (%s), got %s", strings.Join(keysOf(fields), ", "), kindName(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := fields[key.Value]
		switch {
		case !ok:
			d.problem(key, "unknown key %q: %s", key.Value, nearest.Meant(key.Value, keysOf(fields)))
		case seen[key.Value]:
			d.problem(key, "%q is here twice", key.Value)
		default:
			seen[key.Value] = true
			d.at[join(path, f.key)+"#key"] = key
			d.decode(join(path, f.key), value, v.Field(f.index), depth+1)
			d.enum(value, f, v.Field(f.index))
		}
	}
}

// enum checks a string, or each of a list, against the field's words.
func (d *decoder) enum(n *yaml.Node, f field, v reflect.Value) {
	if len(f.enum) == 0 || n.Kind != yaml.ScalarNode && v.Kind() == reflect.String {
		return
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			if i < len(n.Content) {
				d.enum(n.Content[i], f, v.Index(i))
			}
		}
		return
	}
	for _, w := range f.enum {
		if v.String() == w {
			return
		}
	}
	if v.Kind() == reflect.String {
		d.problem(n, "unknown %s %q: %s", f.key, v.String(), nearest.Meant(v.String(), f.enum))
	}
}

func (d *decoder) list(path string, n *yaml.Node, v reflect.Value, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, "want a list, such as [a, b], got %s", kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.decode(join(path, strconv.Itoa(i)), item, v.Index(i), depth+1)
	}
}

func (d *decoder) mapping(path string, n *yaml.Node, v reflect.Value, depth int) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, "want keys and values, got %s", kindName(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(join(path, key.Value), value, item, depth+1)
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Value == "" {
			return "nothing"
		}
		return strconv.Quote(n.Value)
	}
	return "something else"
}

// field is what the tags of a struct field say.
type field struct {
	key    string
	index  int
	scalar bool
	enum   []string
}

func fieldsOf(t reflect.Type) map[string]field {
	fields := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		tag, opts, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		fields[tag] = field{key: tag, index: i, scalar: opts == "scalar", enum: strings.Fields(t.Field(i).Tag.Get("enum"))}
	}
	return fields
}

// keysOf lists the keys in the order of the struct's fields.
func keysOf(fields map[string]field) []string {
	return slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Compare(fields[a].index, fields[b].index)
	})
}
