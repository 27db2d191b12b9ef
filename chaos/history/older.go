package history

import (
	"cmp"
	"strings"
)

// leads sets what records of a broker's stepdown did not have at first: its text alone told of it. They are of this
// version too.
func leads(e *Event) {
	if f := e.Fault; f != nil && f.Op == Injected && f.Victim == nil && strings.HasPrefix(f.Fault, "stepdown") {
		f.Leads = true
	}
}

// fromVersion1 turns an event of a history of version 1 into what it is in this one. There, an alarm was a sentence
// with the condition, or the reason, behind its last words.
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
