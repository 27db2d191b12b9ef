package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/internal/units"
)

// decoder turns YAML nodes into the types of a scenario by their struct tags and collects every mistake instead of
// stopping at the first:
//
//	yaml:"key"         the key
//	yaml:"key,scalar"  a plain word in the struct's place sets this field: {signal: KILL} for {signal: {name: KILL}}
//	enum:"a b c"       the words a string may be
//	zero:"no …: want…" zero stands for "not set", so that to write it, or an empty list, is a mistake: what it would
//	                   be, and what is right
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

// reported tells whether something is wrong at the node already; for one that is not from the file, anywhere in its
// source.
func (d *decoder) reported(n *yaml.Node) bool {
	source, foreign := d.source[n]
	return slices.ContainsFunc(d.problems, func(p Problem) bool {
		if foreign {
			return p.File == source
		}
		return p.Line == n.Line && p.Column == n.Column && p.File == d.file
	})
}

// broken tells whether something is wrong at the path already, or below it, so that what is read there is not what is
// written.
func (d *decoder) broken(path string) bool {
	for at, n := range d.at {
		if (at == path || strings.HasPrefix(at, path+".")) && d.reported(n) {
			return true
		}
	}
	return false
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
	if s, ok := v.Addr().Convert(reflect.PointerTo(scalarType(v.Type()))).Interface().(units.Scalar); ok {
		d.scalar(n, s)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(path, n, v.Elem(), depth)
	case reflect.Struct:
		c, ok := v.Addr().Interface().(choice)
		if !ok {
			d.structure(path, n, v, depth)
			return
		}
		shaped := reflect.New(c.shape()).Elem()
		d.structure(path, n, shaped, depth)
		c.fill(shaped)
	case reflect.Slice:
		d.list(path, n, v, depth)
	case reflect.Map:
		d.mapping(path, n, v, depth)
	default:
		d.plain(n, v)
	}
}

// natives are the Go types that a fault has its parameters in, and the scalars that they are written as.
var natives = map[reflect.Type]reflect.Type{
	reflect.TypeFor[time.Duration](): reflect.TypeFor[Duration](),
	reflect.TypeFor[int64]():         reflect.TypeFor[Bytes](),
	reflect.TypeFor[int]():           reflect.TypeFor[Count](),
	reflect.TypeFor[float64]():       reflect.TypeFor[Percent](),
}

// scalarType is the scalar that a value of the type is written as; t itself for what is no native.
func scalarType(t reflect.Type) reflect.Type {
	if s, ok := natives[t]; ok {
		return s
	}
	return t
}

func (d *decoder) scalar(n *yaml.Node, s units.Scalar) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, "want one value, got %s", kindName(n))
	} else if err := s.Parse(n.Value); err != nil {
		d.problem(n, "%v", err)
	}
}

// removed says what to write in place of keys, and of the words of some, that there were once.
var removed = map[string]string{
	"mechanism=rss": "nothing watches a resident set any more; cgroup and rlimit are limits, and any takes the " +
		"stronger one that this host has",
	"target.naive": "the naive pool is gone; a pool with bugs to switch on is pool: {bugs: [...]}, or driver: " +
		"{command: [brokenpool, SWITCH]}",
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
		if errors.Is(err, strconv.ErrRange) {
			d.problem(n, "%s is too large: want at most %d", n.Value, uint64(math.MaxUint64))
		} else if err != nil || units.LeadingZero(n.Value) {
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
				d.zero(n, f, v.Field(f.index))
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
		case path == "" && isExtension(key.Value):
		case !ok:
			d.at[join(path, key.Value)+"#unknown"] = key
			d.problem(key, "unknown key %q: %s", key.Value,
				cmp.Or(removed[join(path, key.Value)], nearest.Meant(key.Value, keysOf(fields))))
		case seen[key.Value]:
			d.problem(key, "%q is here twice", key.Value)
		default:
			seen[key.Value] = true
			d.decode(join(path, f.key), value, v.Field(f.index), depth+1)
			d.enum(value, f, v.Field(f.index))
			d.zero(value, f, v.Field(f.index))
		}
	}
}

// isExtension tells of a key at the top that holds what anchors are put on, and is no part of the scenario.
func isExtension(key string) bool { return strings.HasPrefix(key, "x-") }

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
		d.problem(n, "unknown %s %q: %s", f.key, v.String(),
			cmp.Or(removed[f.key+"="+v.String()], nearest.Meant(v.String(), f.enum)))
	}
}

// zero refuses a value that would be taken for none, and replaced by the default.
func (d *decoder) zero(n *yaml.Node, f field, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	list := v.Kind() == reflect.Slice
	if f.zero == "" || list && v.Len() > 0 || !list && !v.IsZero() || d.reported(n) {
		return
	}
	text := n.Value
	if list {
		text = "[]"
	}
	d.problem(n, "%s: %s is %s, or leave the key out", f.key, text, f.zero)
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
	zero   string
}

func fieldsOf(t reflect.Type) map[string]field {
	t = shapeOf(t)
	fields := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		tag, opts, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		says := t.Field(i).Tag
		fields[tag] = field{
			key: tag, index: i, scalar: opts == "scalar", enum: strings.Fields(says.Get("enum")),
			zero: says.Get("zero"),
		}
	}
	return fields
}

// keysOf lists the keys in the order of the struct's fields.
func keysOf(fields map[string]field) []string {
	return slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Compare(fields[a].index, fields[b].index)
	})
}
