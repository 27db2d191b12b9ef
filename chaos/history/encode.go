package history

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// appendEvent adds the event's line, without its newline, to b. Tasks and executions are nearly all of a long history,
// so they are written by hand; the bytes are those of encoding/json, which writes everything else.
func appendEvent(b []byte, e *Event) ([]byte, error) {
	if n := e.records(); n != 1 {
		return b, errors.New("history: an event has exactly one record, this one has " + strconv.Itoa(n))
	}
	switch {
	case e.Task != nil && plain(string(e.Task.Outcome)) && plain(string(e.Task.Op)) && plain(e.Task.Err):
		return append(e.Task.append(appendT(b, e.T, "task")), '}'), nil
	case e.Run != nil:
		return append(e.Run.append(appendT(b, e.T, "run")), '}'), nil
	}
	line, err := json.Marshal(e)
	return append(b, line...), err
}

func appendT(b []byte, t time.Duration, record string) []byte {
	b = append(b, `{"t":`...)
	b = strconv.AppendInt(b, int64(t), 10)
	b = append(b, `,"`...)
	b = append(b, record...)
	return append(b, `":`...)
}

func (t *Task) append(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendUint(b, t.ID, 10)
	b = append(b, `,"op":"`...)
	b = append(b, t.Op...)
	b = append(b, '"')
	b = appendText(b, `,"outcome":"`, string(t.Outcome))
	b = appendInt(b, `,"latency":`, int64(t.Latency))
	b = appendInt(b, `,"attempts":`, int64(t.Attempts))
	b = appendInt(b, `,"pid":`, int64(t.PID))
	b = appendText(b, `,"err":"`, t.Err)
	return append(b, '}')
}

func (r *Run) append(b []byte) []byte {
	b = append(b, `{"task":`...)
	b = strconv.AppendUint(b, r.Task, 10)
	b = appendInt(b, `,"attempt":`, int64(r.Attempt))
	b = append(b, `,"pid":`...)
	b = strconv.AppendInt(b, int64(r.PID), 10)
	b = append(b, `,"start":`...)
	b = strconv.AppendInt(b, int64(r.Start), 10)
	b = appendInt(b, `,"end":`, int64(r.End))
	return append(b, '}')
}

// appendInt adds a field unless it is zero, as omitempty does.
func appendInt(b []byte, field string, v int64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendInt(append(b, field...), v, 10)
}

func appendText(b []byte, field, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, field...)
	b = append(b, s...)
	return append(b, '"')
}

// plain tells whether JSON writes the text as it is, between quotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// records counts the records that are set.
func (e *Event) records() int {
	n := 0
	for _, set := range [...]bool{
		e.Stage != nil, e.Member != nil, e.Fault != nil, e.Task != nil, e.Run != nil,
		e.Probe != nil, e.Sample != nil, e.Host != nil, e.Account != nil, e.Alarm != nil, e.Note != nil, e.End != nil,
	} {
		if set {
			n++
		}
	}
	return n
}
