package scenarios_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/scenarios"
)

func TestEveryLibraryScenarioIsValidInBothForms(t *testing.T) {
	g := NewWithT(t)
	g.Expect(scenarios.Library()).To(HaveLen(35))
	for _, name := range scenarios.Library() {
		for _, short := range []bool{false, true} {
			s, err := scenarios.ReadNamed(name, scenarios.Options{Short: short})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(s.Name).To(Equal(name))
			g.Expect(s.Description).NotTo(BeEmpty())
		}
	}
}

func TestSchemaAcceptsTheLibraryAndRefusesMistakes(t *testing.T) {
	g := NewWithT(t)
	want, err := scenarios.Schema()
	g.Expect(err).NotTo(HaveOccurred())
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(want))
	g.Expect(err).NotTo(HaveOccurred())
	c := jsonschema.NewCompiler()
	g.Expect(c.AddResource("scenario.schema.json", doc)).To(Succeed())
	schema, err := c.Compile("scenario.schema.json")
	g.Expect(err).NotTo(HaveOccurred())
	for _, name := range scenarios.Library() {
		text, err := os.ReadFile("library/" + name + ".yaml")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(schema.Validate(plain(g, text))).To(Succeed(), name)
	}
	g.Expect(schema.Validate(plain(g, []byte("name: x\ntarget: {pool: {size: 4}}\nsed: 1\n")))).NotTo(Succeed())
	g.Expect(schema.Validate(plain(g, []byte("name: x\ntarget: {pool: {size: 4}}\nsettle: 1\n")))).NotTo(Succeed())
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
