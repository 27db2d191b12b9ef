package scenarios

import (
	"bytes"
	"encoding/json"
	"path"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/respawn-go/respawn/chaos/check"
)

// MakeSchema makes scenario.schema.json from the types of the format.
func MakeSchema() ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", ExpandedStruct: true, RequiredFromJSONSchemaTags: true, Anonymous: true,
		Mapper: scalarSchema, Namer: definitionName,
		LookupComment: func(t reflect.Type, name string) string {
			if t.Kind() != reflect.Struct {
				return ""
			}
			f, _ := t.FieldByName(name)
			return f.Tag.Get("doc")
		},
	}
	s := r.Reflect(&Scenario{})
	s.ID = "https://github.com/respawn-go/respawn/scenarios/scenario.schema.json"
	s.Title = "respawn scenario"
	s.Required = []string{"name", "target"}
	s.PatternProperties = map[string]*jsonschema.Schema{"^x-": {Description: "Not read: a place for YAML anchors."}}
	refine(s, reflect.TypeFor[Scenario](), s.Definitions)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// definitionName is what a type of the format is called in the schema: those of a kind of target with the kind's folder
// in front.
func definitionName(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[Scenario]().PkgPath() || t.Name() == "" {
		return t.Name()
	}
	folder := path.Base(t.PkgPath())
	return strings.ToUpper(folder[:1]) + folder[1:] + t.Name()
}

// JSONSchemaAlias lets the schema have the shape in the place of the type.
func (t Target) JSONSchemaAlias() any { return reflect.Zero(t.shape()).Interface() }

// JSONSchemaAlias is Target's.
func (f Fault) JSONSchemaAlias() any { return reflect.Zero(f.shape()).Interface() }

// scalarForms are the scalars as patterns: what units.go parses.
var scalarForms = map[reflect.Type]string{
	reflect.TypeFor[Duration](): `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`,
	reflect.TypeFor[Bytes]():    `^[0-9]+ ?(B|KiB|MiB|GiB)$`,
	reflect.TypeFor[Rate]():     `^[0-9]+(\.[0-9]+)? ?/ ?(s|m|h)$`,
	reflect.TypeFor[Percent]():  `^[0-9]+(\.[0-9]+)? ?%$`,
}

func scalarSchema(t reflect.Type) *jsonschema.Schema {
	t = scalarType(t)
	if form, ok := scalarForms[t]; ok {
		return &jsonschema.Schema{Type: "string", Pattern: form}
	}
	switch t {
	case reflect.TypeFor[Range]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "1"}, {Type: "string", Pattern: `^[1-9][0-9]*\.\.[1-9][0-9]*$`},
		}}
	case reflect.TypeFor[Count]():
		return &jsonschema.Schema{Type: "integer", Minimum: "0"}
	case reflect.TypeFor[Overrides]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[Condition]():
		return conditionSchema()
	}
	return nil
}

// refine adds what the tags say beyond types: the words of enums, and plain words in the place of structs.
func refine(s *jsonschema.Schema, t reflect.Type, defs jsonschema.Definitions) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || s.Properties == nil {
		return
	}
	t = shapeOf(t)
	for key, f := range fieldsOf(t) {
		p, ok := s.Properties.Get(key)
		if !ok {
			continue
		}
		ft := t.Field(f.index).Type
		switch {
		case f.zero == "":
		case p.Type == "array":
			p.MinItems = new(uint64)
			*p.MinItems = 1
		case p.Type == "integer":
			p.Minimum = "1"
		case p.Type == "boolean":
			p.Const = true
		case p.Pattern != "":
			p.Not = &jsonschema.Schema{Pattern: `^[^1-9]*$`} // nothing but zeros and a unit
		}
		if len(f.enum) > 0 {
			words := make([]any, len(f.enum))
			for i, w := range f.enum {
				words[i] = w
			}
			if p.Items != nil {
				p.Items.Enum = words
			} else {
				p.Enum = words
			}
		}
		for ft.Kind() == reflect.Pointer || ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		name := definitionName(ft)
		def, ok := defs[name]
		if !ok || ft.Kind() != reflect.Struct {
			refine(p, ft, defs) // a shape has no name
			continue
		}
		if def.Extras == nil { // each once
			def.Extras = map[string]any{}
			refine(def, ft, defs)
			defs[name] = orScalar(def, ft)
		}
	}
}

// orScalar lets a plain word stand for a struct that has a field for it.
func orScalar(def *jsonschema.Schema, t reflect.Type) *jsonschema.Schema {
	for _, f := range fieldsOf(t) {
		if f.scalar {
			word, _ := def.Properties.Get(f.key)
			plain := *word
			plain.Description = ""
			return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{&plain, def}, Extras: def.Extras}
		}
	}
	return def
}

// conditionSchema lets editors complete the metrics' names.
func conditionSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Description: "metric, comparison, value with unit, optionally for a duration: pool.ready == " +
			"8; allow in front asks for less than every scenario requires",
		Pattern: `^(allow\s+)?(` + strings.Join(metricNames(), "|") + `)\s*(==|!=|<=|>=|<|>)\s*\S.*$`,
	}
}

// metricNames is the metrics as a pattern's alternatives.
func metricNames() []string {
	names := check.Names()
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	return names
}
