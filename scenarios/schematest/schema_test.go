package schematest

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/scenarios"
)

func TestSchemaAcceptsTheLibraryAndRefusesMistakes(t *testing.T) {
	g := NewWithT(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(scenarios.Schema()))
	g.Expect(err).NotTo(HaveOccurred())
	c := jsonschema.NewCompiler()
	g.Expect(c.AddResource("scenario.schema.json", doc)).To(Succeed())
	schema, err := c.Compile("scenario.schema.json")
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range scenarios.Library() {
		text, err := os.ReadFile("../library/" + name + ".yaml")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(schema.Validate(plain(g, text))).To(Succeed(), name)
	}
	g.Expect(schema.Validate(plain(g, []byte("name: x\ntarget: {pool: {size: 4}}\nsed: 1\n")))).NotTo(Succeed())
	g.Expect(schema.Validate(plain(g, []byte("name: x\ntarget: {pool: {size: 4}}\nsettle: 1\n")))).NotTo(Succeed())
	for zero, right := range map[string]string{ // what the loader takes for a mistake, and what not
		"target: {pool: {size: 0}}":                            "target: {pool: {size: 1}}",
		"settle: 0s":                                           "settle: 0.5s",
		"load: {task: square, rate: 0/s}":                      "load: {task: square, rate: 10/s}",
		"chaos: [{fault: {memory: 0%}}]":                       "chaos: [{fault: {memory: 10%}}]",
		"chaos: [{fault: {oom: {limit: 0MiB}}}]":               "chaos: [{fault: {oom: {limit: 100MiB}}}]",
		"chaos: [{fault: {signal: KILL}, pick: {all: false}}]": "chaos: [{fault: {signal: KILL}, pick: {all: true}}]",
		"chaos: [{fault: {signal: KILL}, when: {sequence: []}}]": "chaos: [{fault: {signal: KILL}, when: " +
			"{sequence: [0s]}}]",
	} {
		for text, matcher := range map[string]types.GomegaMatcher{zero: HaveOccurred(), right: Succeed()} {
			text = "name: x\nexpect: [slots.lost == 0]\n" + text + "\n"
			if !strings.Contains(text, "target") {
				text += "target: {pool: {size: 4}}\n"
			}
			g.Expect(schema.Validate(plain(g, []byte(text)))).To(matcher, "%s", text)
			_, err := scenarios.Parse("x.yaml", []byte(text), scenarios.Options{})
			g.Expect(err).To(matcher, "%s", text)
		}
	}
}

// plain is YAML as JSON's types.
func plain(g *WithT, text []byte) any {
	var v any
	g.Expect(yaml.Load(text, &v)).To(Succeed())
	data, err := json.Marshal(v)
	g.Expect(err).NotTo(HaveOccurred())
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	g.Expect(err).NotTo(HaveOccurred())
	return doc
}
