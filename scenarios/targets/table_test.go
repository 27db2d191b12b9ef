package targets_test

import (
	"reflect"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/scenarios/drivers"
	"github.com/respawn-go/respawn/scenarios/targets"
)

// A row is enough for a kind of target to be read, listed, checked and opened, so it has to be whole.
func TestEachRowIsWhole(t *testing.T) {
	needs, tasks := map[string]bool{},
		map[string]bool{"sleep": true, "square": true, "hash": true, "primes": true, "echo": true, "alloc": true}
	known, tools := map[string]bool{}, map[string]bool{}
	for _, k := range faults.Kinds() {
		needs[k.Needs], known[k.Name] = true, true
	}
	seen := map[string]bool{}
	for _, k := range targets.Kinds() {
		g := NewWithT(t)
		g.Expect(k.Name).To(MatchRegexp(`^[a-z]+$`))
		g.Expect(seen[k.Name]).To(BeFalse(), "%s is there twice", k.Name)
		seen[k.Name] = true
		g.Expect(k.Doc).To(MatchRegexp(`^[A-Z].*\.$`), k.Name)
		settings := reflect.TypeOf(k.New())
		g.Expect(settings.Kind()).To(Equal(reflect.Pointer), "the settings of %s are to be filled", k.Name)
		g.Expect(k.New().Members()).To(BeZero(), "%s has members that nobody wanted", k.Name)
		for i := range settings.Elem().NumField() {
			f := settings.Elem().Field(i)
			g.Expect(f.Tag.Get("yaml")).NotTo(BeEmpty(), "%s of %s", f.Name, k.Name)
			g.Expect(f.Tag.Get("doc")).NotTo(BeEmpty(), "%s of %s", f.Name, k.Name)
		}
		for _, a := range k.Can.Abilities {
			g.Expect(needs[a]).To(BeTrue(), "%s: no fault needs the ability %s", k.Name, a)
		}
		for _, f := range k.Can.Faults {
			g.Expect(known[f]).To(BeTrue(), "%s: there is no fault %s", k.Name, f)
		}
		for _, task := range k.Can.Tasks {
			g.Expect(tasks[task]).To(BeTrue(), "%s: there is no task %s", k.Name, task)
		}
		for _, tool := range k.Tools {
			g.Expect(tool.Use).NotTo(BeEmpty(), "%s of %s", tool.Name, k.Name)
			g.Expect(tool.Install).NotTo(BeEmpty(), "%s of %s", tool.Name, k.Name)
			tools[tool.Name] = true
		}
		g.Expect(targets.Of(k.Name).Name).To(Equal(k.Name))
	}
	tools["sh"] = true // which every host has
	for _, d := range drivers.All() {
		NewWithT(t).Expect(tools[d.Program]).To(BeTrue(),
			"respawn doctor does not look for %s, which the driver of %s runs in", d.Program, d.Pool)
	}
	NewWithT(t).Expect(targets.Of("naive").New).To(BeNil())
}
