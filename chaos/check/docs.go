package check

import (
	"fmt"
	"strings"
)

// Docs is the page docs/metrics.md: every metric of the registry with unit, meaning and formula.
func Docs() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" +
		"What a condition in a scenario may ask for, generated from the registry in `chaos/check`\n" +
		"(`go test ./chaos/check -run Docs -update`). Values are kept in seconds, bytes, plain counts and per " +
		"second; a\n" +
		"ratio of 1 is 100%. *Live* metrics are known while the run goes on: only they can stand under `steady` and\n" +
		"`abort`, or with `for`.\n")
	family := ""
	for _, m := range Metrics() {
		if f, _, _ := strings.Cut(m.Name, "."); f != family {
			family = f
			fmt.Fprintf(&b,
				"\n## %s\n\n| metric | unit | live | meaning | how it is computed |\n| --- | --- | --- | --- | --- |\n",
				f)
		}
		live := ""
		if m.Live {
			live = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, live, m.Meaning, m.Formula)
	}
	b.WriteString(
		"\n## What every scenario requires\n\nThat these are 0, unless `expect` has a rule of its own about " +
			"the metric, which takes the word `allow` if it asks for less:\n`allow tasks.failed <= 16`, or any with " +
			"`for`. Those about tasks need a load,\n`blame.bystanders` a witness, `tasks.early` one of sleeps or a " +
			"witness, `processes.orphaned` a marker, `cgroups.leaked` cgroups, `pool.missing` a parent that no fault " +
			"ended, `pool.surplus` that and a size which is a range.\n\n")
	for _, p := range Promises() {
		fmt.Fprintf(&b, "- `%s`\n", p)
	}
	b.WriteString(
		"\nAnd that `settle.time` is at most what the scenario's `settle` says, where its faults end members.\n")
	b.WriteString("\n## Floors\n\nA limit on a time can be a multiple of one: `<= 3x floor.respawn`.\n\n" +
		"| floor | meaning |\n| --- | --- |\n")
	for _, f := range Floors() {
		fmt.Fprintf(&b, "| `floor.%s` | %s |\n", f.Name, f.Meaning)
	}
	return b.String()
}
