package main

import (
	"encoding/json"
	"io"
)

// writeJSONLine prints one value on a line of its own: there may be several.
func writeJSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeJSON prints one indented value, with < and > as they are: it is read by programs and people, not by browsers.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
