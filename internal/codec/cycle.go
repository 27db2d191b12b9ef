package codec

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// maxDepth bounds how deep a value may be nested, each pointer on the way counted: far more than decMode takes. A value
// that refers to itself is deeper than any bound, and the encoder would follow it until the stack overflows, which ends
// the program and cannot be recovered.
const maxDepth = 1024

var errTooDeep = errors.New("nested too deep: does it contain itself?")

// checkDepth refuses a value that contains itself. It costs nothing for types that cannot.
func checkDepth(v any) error {
	if err := walk(reflect.ValueOf(v), maxDepth); err != nil {
		return fmt.Errorf("%T: %w", v, err)
	}
	return nil
}

func walk(v reflect.Value, left int) (err error) {
	if !v.IsValid() || !endless(v.Type()) {
		return nil
	}
	if left == 0 {
		return errTooDeep
	}
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			if lost := strandedIn(v.Elem().Type()); lost != nil {
				return fmt.Errorf("what an interface holds cannot travel whole: %w", lost)
			}
		}
		return walk(v.Elem(), left-1)
	case reflect.Pointer:
		return walk(v.Elem(), left-1)
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && err == nil; i++ {
			err = walk(v.Index(i), left-1)
		}
	case reflect.Map:
		for m := v.MapRange(); m.Next() && err == nil; {
			if err = walk(m.Key(), left-1); err == nil {
				err = walk(m.Value(), left-1)
			}
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && err == nil; i++ {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				err = walk(v.Field(i), left-1)
			}
		}
	}
	return err
}

// endlessTypes remembers what endless found, by type.
var endlessTypes sync.Map

// endless tells whether values of the type can contain themselves: there is a way from the type back to it, or to an
// interface.
func endless(t reflect.Type) bool {
	if known, ok := endlessTypes.Load(t); ok {
		return known.(bool)
	}
	found := leadsBack(t, make(map[reflect.Type]bool))
	endlessTypes.Store(t, found)
	return found
}

// marshalers encode themselves: what they contain is not followed.
var marshalers = []reflect.Type{
	reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[encoding.BinaryMarshaler](),
}

func leadsBack(t reflect.Type, above map[reflect.Type]bool) bool {
	if above[t] {
		return true
	}
	for _, m := range marshalers {
		if t.Kind() != reflect.Interface && t.Implements(m) {
			return false
		}
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return leadsBack(t.Elem(), above)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && leadsBack(f.Type, above) {
				return true
			}
		}
	}
	return false
}
