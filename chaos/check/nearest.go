package check

import (
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/internal/nearest"
)

// metricMeant is the end of an error about an unknown metric: the nearest one, or, since there are too many to list,
// those of the same family, if any.
func metricMeant(word string) string {
	if n := nearest.Word(word, Names()); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	family, _, _ := strings.Cut(word, ".")
	var same []string
	for _, n := range Names() {
		if strings.HasPrefix(n, family+".") {
			same = append(same, n)
		}
	}
	if len(same) == 0 || len(same) > 20 {
		return "the metrics are listed in docs/metrics.md"
	}
	return "known are " + strings.Join(same, ", ")
}
