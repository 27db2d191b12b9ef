// Package yamlpos reads files that people write in YAML, so that whatever is wrong with one is told with its place.
package yamlpos

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Mistake is what is wrong with a text, and what would be right.
type Mistake struct {
	Line, Column int // from 1; 0 when it is the text as a whole
	Text         string
}

// Root is the value of the text's one document, each node of it with its line and column. Keys that are there twice are
// left for the caller to find, who has words for them. one is what a file holds one of, such as "scenario", and want
// what an empty one is told to hold. The error is nil or a mistake.
func Root(text []byte, one, want string) (*yaml.Node, *Mistake) {
	if blank(text) {
		return nil, &Mistake{Text: "the file is empty: want " + want}
	}
	var doc yaml.Node
	if err := yaml.Load(text, &doc, yaml.WithUniqueKeys(false)); err != nil {
		m, said := mistake(err)
		if strings.Contains(said, "found multiple") {
			m = &Mistake{secondDocument(text), 1, "a second YAML document begins here: want one " + one + " a file"}
		}
		return nil, m
	}
	n := &doc
	for n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	return n, nil
}

// blank tells whether there is nothing in the text but comments.
func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// secondDocument is the line of the marker that ends the first document of several.
func secondDocument(text []byte) int {
	begun, number := false, 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, " \t\r\n")
		switch marker := bytes.Equal(line, []byte("...")) || bytes.Equal(line, []byte("---")) ||
			bytes.HasPrefix(line, []byte("--- ")); {
		case marker && begun:
			return number
		case len(line) > 0 && line[0] != '#' && line[0] != '%':
			begun = true
		}
	}
	return number
}

var (
	lineOf   = regexp.MustCompile(`line (\d+)`)
	columnOf = regexp.MustCompile(`column (\d+)`)
)

// mistake is a syntax error with the position that the parser gives, or names in its text, and what the parser said of
// it.
func mistake(err error) (m *Mistake, said string) {
	m = &Mistake{Line: 1, Column: 1}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if load := (*yaml.LoadError)(nil); errors.As(err, &load) {
		m.Line, m.Column, text = max(load.Mark.Line, 1), max(load.Mark.Column, 1), load.Message
	} else {
		if found := lineOf.FindStringSubmatch(text); found != nil {
			m.Line, _ = strconv.Atoi(found[1])
		}
		if found := columnOf.FindStringSubmatch(text); found != nil {
			m.Column, _ = strconv.Atoi(found[1])
		}
	}
	m.Text = "not YAML: " + strings.Join(strings.Fields(text), " ")
	return m, text
}
