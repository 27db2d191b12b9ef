package scenarios

import (
	"fmt"
	"reflect"
	"strings"
)

// Page is the table part of docs/scenario-format.md: one section for each type of the format, one row for each key.
func Page() string {
	var b strings.Builder
	seen := map[reflect.Type]bool{}
	var section func(title string, t reflect.Type)
	section = func(title string, t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		t = shapeOf(t)
		fmt.Fprintf(&b, "\n### %s\n\n| key | value | meaning |\n| --- | --- | --- |\n", title)
		fields := fieldsOf(t)
		for _, key := range keysOf(fields) {
			f := t.Field(fields[key].index)
			doc := f.Tag.Get("doc")
			if fields[key].scalar {
				doc += fmt.Sprintf(" `{%[1]s: …}` is short for `{%[1]s: {%[2]s: …}}`.",
					title[strings.LastIndexByte(title, '.')+1:], key)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, valueForm(f.Type, fields[key].enum),
				strings.ReplaceAll(doc, "|", "\\|"))
		}
		for _, key := range keysOf(fields) {
			if inner := structOf(t.Field(fields[key].index).Type); inner != nil {
				section(strings.TrimPrefix(title+"."+key, "scenario."), inner)
			}
		}
	}
	section("scenario", reflect.TypeFor[Scenario]())
	return b.String()
}

// structOf is the struct of the format that t is, points to or lists; nil if it is none.
func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Overrides]() {
		return nil
	}
	return t
}

var forms = map[reflect.Type]string{
	reflect.TypeFor[Duration]():  "duration (`250ms`)",
	reflect.TypeFor[Bytes]():     "size (`64MiB`)",
	reflect.TypeFor[Rate]():      "rate (`500/s`)",
	reflect.TypeFor[Percent]():   "percentage (`20%`)",
	reflect.TypeFor[Count]():     "whole number",
	reflect.TypeFor[Range]():     "whole number, or a range (`2..8`)",
	reflect.TypeFor[Condition](): "condition",
	reflect.TypeFor[Overrides](): "paths and values",
}

// valueForm says how a value of the type is written.
func valueForm(t reflect.Type, enum []string) string {
	if form, ok := forms[scalarType(t)]; ok {
		return form
	}
	switch {
	case t.Kind() == reflect.Slice:
		return "list of: " + valueForm(t.Elem(), enum)
	case t.Kind() == reflect.Pointer:
		return valueForm(t.Elem(), enum)
	case t.Kind() == reflect.Struct:
		return "mapping, see below"
	case len(enum) > 0:
		return "`" + strings.Join(enum, "`, `") + "`"
	case t.Kind() == reflect.Bool:
		return "`true` or `false`"
	case t.Kind() == reflect.Uint64:
		return "whole number"
	}
	return "text"
}
