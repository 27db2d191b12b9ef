package history

import (
	"cmp"
	"strings"
)

// fromVersion1 turns an event of a history of version 1 into what it is in this one. There, an alarm was a sentence with the
// condition, or the reason, behind its last words.
func fromVersion1(e *Event) {
	a := e.Alarm
	if a == nil {
		return
	}
	after := func(words string) string {
		_, why, _ := strings.Cut(": "+a.Text, words)
		return cmp.Or(why, a.Text)
	}
	switch a.Kind {
	case AlarmAbort:
		a.Rule, a.Text = strings.TrimSpace(a.Text[strings.LastIndex(a.Text, ": ")+1:]), ""
	case AlarmInterrupt:
		a.Text = after("interrupted: ")
	case AlarmTimeout:
		a.Text = after("too long: ")
	case AlarmError, AlarmGone:
	}
}
