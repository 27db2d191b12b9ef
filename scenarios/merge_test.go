package scenarios_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios"
)

func TestAnchorsMayStandUnderKeysThatAreNotReadAndBeMerged(t *testing.T) {
	g := NewWithT(t)
	s, err := scenarios.Parse("mine.yaml", []byte(`x-common: &common
  fault: {signal: KILL}
  when: &when {every: 200ms, for: 2s}
x-anything: [1, {a: b}]
name: mine
target: {pool: {size: 2}}
chaos:
  - <<: *common
    pick: {slot: 0}
  - <<: [{fault: {signal: TERM}}, *common]
    when: {<<: *when, for: 3s, jitter: 10%}
short:
  chaos.1.when.for: 1s
`), scenarios.Options{Short: true})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Chaos).To(HaveLen(2))
	g.Expect(s.Chaos[0].Fault.Fault.String()).To(Equal("signal KILL"))
	g.Expect(s.Chaos[0].When.For.Std().String()).To(Equal("2s"), "a change below one does not show at another")
	g.Expect(s.Chaos[1].Fault.Fault.String()).To(Equal("signal TERM"), "the first wins")
	g.Expect(s.Chaos[1].When.Every.Std().String()).To(Equal("200ms"))
	g.Expect(s.Chaos[1].When.For.Std().String()).To(Equal("1s"))
}

func TestMergesThatMeanNothingAreMistakesWithTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"x-a: &a 5\nname: mine\ntarget: {<<: *a}\n": `m.yaml:3:14: <<: want the keys and values of an anchor, such as *common, or a list of such, got "5"`,
		"name: mine\ntarget: &t\n  <<: *t\n": "m.yaml: more than 20000 values once aliases " +
			"are expanded",
		"name: mine\ntarget: {pool: {size: 2, x-a: 1}}\n": `m.yaml:2:26: unknown key "x-a"`,
		"x-a: &a {sise: 2}\nname: m\n" +
			"target: {pool: {<<: *a}}\n": `m.yaml:1:10: unknown key "sise": did you mean "size"?`,
		"name: mine\ntarget: {pool: {size: 2}}\n\"<<\": {seed: 3}\n": `m.yaml:3:1: unknown key "<<"`,
	} {
		_, err := scenarios.Parse("m.yaml", []byte(text), scenarios.Options{})
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(want)), text)
	}
}
