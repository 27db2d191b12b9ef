package ci

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/internal/yamlpos"
	"github.com/respawn-go/respawn/reports"

	"go.yaml.in/yaml/v4"
)

// policyReader takes a policy from YAML nodes and collects every mistake with its place.
type policyReader struct {
	path     string
	mistakes []error
}

func (r *policyReader) wrong(n *yaml.Node, format string, args ...any) {
	at := ""
	if n.Line > 0 {
		at = fmt.Sprintf(":%d:%d", n.Line, n.Column)
	}
	r.mistakes = append(r.mistakes, fmt.Errorf("%s%s: %s", r.path, at, fmt.Sprintf(format, args...)))
}

// value reads a node; want says what would be right when it is another kind.
func (r *policyReader) value(n *yaml.Node, into any, want string) bool {
	err := n.Load(into)
	_, text := into.(*string)
	if rest := strings.TrimLeft(n.Value, "0"); !text && rest != n.Value && rest != "" && rest[0] != '.' {
		err = strconv.ErrSyntax // YAML takes 010 for 8
	}
	if err != nil {
		r.wrong(n, "want %s", want)
	}
	return err == nil
}

func (r *policyReader) read(text []byte) (p Policy) {
	p.path = r.path
	root, mistake := yamlpos.Root(text, "policy", "for example scenarios: [random-kill]")
	if mistake != nil {
		r.wrong(&yaml.Node{Line: mistake.Line, Column: mistake.Column}, "%s", mistake.Text)
		return p
	}
	r.keys(root, map[string]func(*yaml.Node){
		"scenarios": func(n *yaml.Node) { p.Scenarios = r.names(n) },
		"allow": func(n *yaml.Node) {
			p.Allow = r.allow(n)
			for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
				p.named = append(p.named, named{n.Content[i].Value, n.Content[i].Line, n.Content[i].Column})
			}
		},
		"allow_skips": func(n *yaml.Node) { r.value(n, &p.AllowSkips, "true or false") },
		"max_age": func(n *yaml.Node) {
			const want = "a duration from 1s, such as 36h"
			var text string
			if r.value(n, &text, want) {
				var age units.Duration
				err := age.Parse(text)
				if p.MaxAge = age.Std(); err != nil || p.MaxAge < time.Second {
					r.wrong(n, "want %s", want)
				}
			}
		},
		"regression": func(n *yaml.Node) { p.Regression = r.regression(n) },
	})
	return p
}

// keys calls what reads each key of a mapping.
func (r *policyReader) keys(n *yaml.Node, known map[string]func(*yaml.Node)) {
	var names []string
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	r.each(n, func(key, value *yaml.Node) {
		if read, ok := known[key.Value]; ok {
			read(value)
		} else {
			r.wrong(key, "unknown key %q: %s", key.Value, nearest.Meant(key.Value, names))
		}
	})
}

// each goes over the keys and values of a mapping.
func (r *policyReader) each(n *yaml.Node, do func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "want keys and values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			r.wrong(key, "%q is here twice", key.Value)
		}
		seen[key.Value] = true
		do(key, value)
	}
}

// names reads the list of scenarios, each once.
func (r *policyReader) names(n *yaml.Node) (list []string) {
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, "want a list of scenarios' names")
		return nil
	}
	for _, item := range n.Content {
		var name string
		switch ok := r.value(item, &name, "a scenario's name"); {
		case ok && slices.Contains(list, name):
			r.wrong(item, "%q is here twice", name)
		case ok:
			list = append(list, name)
		}
	}
	return list
}

// allow reads the verdicts that are green beside PASS.
func (r *policyReader) allow(n *yaml.Node) map[string][]reports.Verdict {
	verdicts := []reports.Verdict{reports.Error, reports.Fail, reports.Aborted, reports.Inconclusive}
	all := map[string][]reports.Verdict{}
	r.each(n, func(key, value *yaml.Node) {
		if value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
			r.wrong(value, "want a list of verdicts, such as [INCONCLUSIVE]")
			return
		}
		for _, item := range value.Content {
			v := reports.Verdict(item.Value)
			if !slices.Contains(verdicts, v) {
				r.wrong(item, "%q is no verdict to allow: want ERROR, FAIL, ABORTED or INCONCLUSIVE", item.Value)
			}
			all[key.Value] = append(all[key.Value], v)
		}
	})
	return all
}

// regression reads when a change against the baseline is red; what is there must make sense.
func (r *policyReader) regression(n *yaml.Node) (c Regression) {
	r.keys(n, map[string]func(*yaml.Node){
		"off":    func(n *yaml.Node) { r.value(n, &c.Off, "true or false") },
		"ratio":  func(n *yaml.Node) { r.ratio(n, &c.Ratio) },
		"detect": func(n *yaml.Node) { r.ratio(n, &c.Detect) },
		"p": func(n *yaml.Node) {
			if r.value(n, &c.P, "a number between 0 and 1") && !(c.P > 0 && c.P < 1) {
				r.wrong(n, "want 0 < p < 1")
			}
		},
		"runs": func(n *yaml.Node) {
			if r.value(n, &c.Runs, "a whole number from 2") && c.Runs < 2 {
				r.wrong(n, "want runs >= 2")
			}
		},
	})
	return c
}

func (r *policyReader) ratio(n *yaml.Node, into *float64) {
	if r.value(n, into, "a number above 1") && !(*into > 1 && *into <= math.MaxFloat64) {
		r.wrong(n, "want a ratio > 1")
	}
}
