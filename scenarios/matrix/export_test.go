package matrix

import (
	"fmt"

	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Check reads every scenario of a family for every target of it.
func Check(name string) error {
	f, _ := familyOf(name)
	for _, t := range f.targets(kind.Files{Drivers: "/drivers", Programs: "/programs"}) {
		for _, scenario := range f.scenarios() {
			if _, err := t.scenario(f, scenario); err != nil && f.name != kind.Pools {
				// servers run no map, and say so in a cell
				return fmt.Errorf("%s, %s: %w", t.Name, scenario, err)
			}
		}
	}
	return nil
}
