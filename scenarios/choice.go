package scenarios

import (
	"reflect"
	"strconv"
)

// choice is a part of a scenario of which the file names one of several kinds by its key, such as a target. The kinds
// are rows of a table, and its shape is the struct that it would be if they were fields.
type choice interface {
	shape() reflect.Type
	// fill sets it from a value of the shape, of which usually one field is set.
	fill(v reflect.Value)
}

// option is one kind of a choice.
type option struct {
	key, doc string
	settings reflect.Type
}

// shapeFrom is the struct with a field for each option.
func shapeFrom(list []option) reflect.Type {
	fields := make([]reflect.StructField, len(list))
	for i, o := range list {
		fields[i] = reflect.StructField{
			Name: "F" + strconv.Itoa(i), Type: o.settings,
			Tag: reflect.StructTag("yaml:" + strconv.Quote(o.key) + " doc:" + strconv.Quote(o.doc)),
		}
	}
	return reflect.StructOf(fields)
}

// shapeOf is the struct whose fields a file names in the place of a t: t itself, if it is no choice.
func shapeOf(t reflect.Type) reflect.Type {
	if c, ok := reflect.New(t).Interface().(choice); ok {
		return c.shape()
	}
	return t
}

// taken is the first field that is set of a value of a shape: its key, and what it is set to.
func taken(v reflect.Value) (key string, value any) {
	fields := fieldsOf(v.Type())
	for _, key := range keysOf(fields) {
		if f := v.Field(fields[key].index); !f.IsZero() {
			return key, f.Interface()
		}
	}
	return "", nil
}
