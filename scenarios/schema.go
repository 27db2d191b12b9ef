package scenarios

import (
	_ "embed"
	"slices"
)

//go:embed scenario.schema.json
var schema []byte

// Schema is the JSON Schema of the format, for editors. A test makes it from the types of the format.
func Schema() []byte { return slices.Clone(schema) }
