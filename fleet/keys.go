package fleet

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys are a map's keys in their order, so that what is done for each does not depend on the map.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
