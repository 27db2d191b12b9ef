package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Log is when the stages began, as the record has them, and its alarms and notes.
type Log struct {
	Stages []StageStart
	Notes  []Note
	Left   int // notes beyond the most that are kept
}

// StageStart is the beginning of a stage.
type StageStart struct {
	Name history.StageName
	At   time.Duration
}

// Note is an alarm or a note.
type Note struct {
	At   time.Duration
	Text string
}

// What a log keeps at most: a record may have anything in it.
const (
	mostStages = 20
	mostNotes  = 200
	mostText   = 2 << 10
)

func (l *Log) add(e *history.Event) {
	switch {
	case e.Stage != nil && len(l.Stages) < mostStages:
		l.Stages = append(l.Stages, StageStart{e.Stage.Name, e.T})
	case e.Alarm != nil:
		l.note(e.T, e.Alarm.String())
	case e.Note != nil:
		l.note(e.T, e.Note.Text)
	}
}

func (l *Log) note(at time.Duration, text string) {
	if len(l.Notes) == mostNotes {
		l.Left++
		return
	}
	l.Notes = append(l.Notes, Note{at, Clip(text, mostText)})
}

// Clip is the beginning of a text, which says so if there was more.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes more)", len(s)-most)
}
