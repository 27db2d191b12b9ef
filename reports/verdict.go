package reports

import "github.com/respawn-go/respawn/chaos/check"

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
