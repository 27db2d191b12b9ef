package scenarios

import (
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/respawn-go/respawn/internal/yamlpos"

	"go.yaml.in/yaml/v4"
)

// maxSize bounds a scenario file.
const maxSize = 1 << 20

// Options changes a scenario as it is read.
type Options struct {
	Short  bool     // apply the scenario's short form
	Set    []string // "path=value", applied last, in order
	NoExec bool     // refuse scenarios that start a program of their own: drivers and servers
	// Attach and Remote are for the command that repeats the run: it may strike processes of others, and load other
	// machines.
	Attach, Remote bool
	// OwnTarget replays a run whose target its caller made, and makes again.
	OwnTarget bool
}

// ReadFile reads a scenario file. Mistakes come back as [Problems], all of them.
func ReadFile(path string, opts Options) (*Scenario, error) {
	fail := func(format string, args ...any) (*Scenario, error) {
		return nil, Problems{{File: path, Text: fmt.Sprintf(format, args...)}}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fail("is a directory: name a scenario file in it")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, text, opts)
}

// Parse reads a scenario from its text; file is what mistakes are reported under. Mistakes come back as [Problems], all
// of them, those of the short form too.
func Parse(file string, text []byte, opts Options) (*Scenario, error) {
	d := &decoder{file: file, at: map[string]*yaml.Node{}}
	if len(text) > maxSize {
		d.problem(nil, "is larger than %d bytes: no scenario needs that", maxSize)
		return nil, d.problems
	}
	root, ok := d.document(text)
	if !ok {
		return nil, d.problems
	}
	full := d.scenario(root)
	base := root
	if short := shortOf(root); short != nil {
		shortRoot := d.override(root, short)
		d.form = " in the short form"
		s := d.scenario(shortRoot) // checked whether or not it is asked for
		d.form = ""
		if opts.Short {
			full, base = s, shortRoot
		}
	}
	if len(opts.Set) > 0 && len(d.problems) == 0 {
		base = d.set(base, opts.Set)
		full = d.scenario(base)
	}
	if opts.NoExec && full.Target.spawns() {
		d.problem(d.at["target"], "the scenario starts a program of its own, and --no-exec forbids that")
	}
	full.file, full.text = file, text
	if base != root && len(d.problems) == 0 {
		if effective, err := effectiveText(base); err == nil {
			full.text = effective
		}
	}
	return full, d.problems.err()
}

// scenario decodes and checks one form of the document.
func (d *decoder) scenario(root *yaml.Node) *Scenario {
	d.at = map[string]*yaml.Node{}
	s := &Scenario{}
	d.decode("", root, reflect.ValueOf(s).Elem(), 0)
	s.at = d.at
	s.check(d)
	return s
}

// document parses YAML into the node of its one document.
func (d *decoder) document(text []byte) (*yaml.Node, bool) {
	n, mistake := yamlpos.Root(text, "scenario", "a scenario's keys and values (name, target, chaos, …)")
	if mistake != nil {
		d.problems = append(d.problems, Problem{d.file, mistake.Line, mistake.Column, mistake.Text})
		return nil, false
	}
	if expanded(n, maxNodes) > maxNodes {
		d.problem(nil, "more than %d values once aliases are expanded: no scenario needs that", maxNodes)
		return nil, false
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, "want a scenario's keys and values (name, target, chaos, …), got %s", kindName(n))
		return nil, false
	}
	if d.merge(n, map[*yaml.Node]bool{}); len(d.problems) > 0 {
		return nil, false
	}
	return n, true
}

// expanded counts the values below a node with each alias as what it stands for, up to just above the limit: nine
// aliases of nine aliases make a file of ten lines larger than any memory, and one of itself has no end.
func expanded(n *yaml.Node, limit int) int {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	count := 1
	for _, c := range n.Content {
		if count > limit {
			break
		}
		count += expanded(c, limit-count)
	}
	return count
}
