package reports

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/check"
)

// Verdict is what a run came to: check's, for those who read reports and know nothing of checking.
type Verdict = check.Verdict

// The verdicts, in order of precedence: see chaos/check.
const (
	Error        = check.Error
	Fail         = check.Fail
	Aborted      = check.Aborted
	Inconclusive = check.Inconclusive
	Pass         = check.Pass
)

var precedence = []Verdict{Error, Fail, Aborted, Inconclusive, Pass}

// Worst is what several verdicts come to: the first by precedence, "" of none.
func Worst(list ...Verdict) Verdict {
	for _, v := range precedence {
		if slices.Contains(list, v) {
			return v
		}
	}
	return ""
}
