package reports

import (
	"fmt"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Judge reads a history file, judges it and makes its report, in one pass. The same file gives the same report whenever
// and wherever that is done. A history that was cut short or edited is judged for what it is, which is no better than
// INCONCLUSIVE, and the error tells where it ends; without a report the file is no history at all.
func Judge(path string) (*Report, error) {
	in, err := history.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var broken error
	result := check.Judge(in.Header, func(yield func(history.Event, error) bool) {
		for e, err := range in.Events() {
			broken = err
			if !yield(e, err) {
				return
			}
		}
	})
	switch {
	case broken != nil:
		broken = fmt.Errorf("%s: %w", path, broken)
	case in.Truncated():
		broken = fmt.Errorf("%s: line %d: %w: its run did not come to an end", path, in.Line(), history.ErrCutShort)
	}
	r := Of(result.Ledger, result)
	if r.story != nil {
		r.story.quote(path)
	}
	return r, broken
}
