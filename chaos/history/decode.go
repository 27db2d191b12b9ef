package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// decode reads one line. The lines that appendEvent writes by hand are read by hand; whatever does not look exactly
// like them goes to encoding/json, which also says what is wrong with it.
func decode(line []byte, e *Event) error {
	if decodePlain(line, e) {
		return nil
	}
	*e = Event{}
	if err := unmarshal(line, e); err != nil {
		return err
	}
	if n := e.records(); n != 1 {
		return fmt.Errorf("an event has exactly one record, this one has %d", n)
	}
	return nil
}

// unmarshal is strict: no unknown fields, nothing after the value.
func unmarshal(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.InputOffset() != int64(len(line)) {
		return errors.New("there is something after the object")
	}
	return nil
}

// scanner walks over a line that is written in one known way. Once something is not as expected, ok stays false.
type scanner struct {
	line []byte
	ok   bool
}

func decodePlain(line []byte, e *Event) bool {
	s := scanner{line, true}
	s.literal(`{"t":`)
	e.T = time.Duration(s.int())
	switch {
	case s.has(`,"task":{"id":`):
		e.Task = s.task()
	case s.has(`,"run":{"task":`):
		e.Run = s.run()
	default:
		return false
	}
	s.literal(`}}`)
	return s.ok && len(s.line) == 0
}

func (s *scanner) task() *Task {
	t := &Task{ID: s.uint()}
	s.literal(`,"op":"`)
	t.Op = TaskOp(known(s.text()))
	if s.has(`,"outcome":"`) {
		t.Outcome = Outcome(known(s.text()))
	}
	t.Latency = time.Duration(s.intAfter(`,"latency":`))
	t.Attempts = int(s.intAfter(`,"attempts":`))
	t.PID = int(s.intAfter(`,"pid":`))
	if s.has(`,"err":"`) {
		t.Err = string(s.text())
	}
	return t
}

func (s *scanner) run() *Run {
	r := &Run{Task: s.uint()}
	r.Attempt = int(s.intAfter(`,"attempt":`))
	s.literal(`,"pid":`)
	r.PID = int(s.int())
	s.literal(`,"start":`)
	r.Start = time.Duration(s.int())
	r.End = time.Duration(s.intAfter(`,"end":`))
	return r
}

// has skips the text if it is what comes next.
func (s *scanner) has(text string) bool {
	if len(s.line) < len(text) || string(s.line[:len(text)]) != text {
		return false
	}
	s.line = s.line[len(text):]
	return true
}

func (s *scanner) literal(text string) { s.ok = s.has(text) && s.ok }

// uint reads at most 18 digits, so that it cannot overflow, with no zero in front.
func (s *scanner) uint() uint64 {
	n, v := 0, uint64(0)
	for n < len(s.line) && n < 19 && s.line[n] >= '0' && s.line[n] <= '9' {
		v = v*10 + uint64(s.line[n]-'0')
		n++
	}
	s.ok = s.ok && n > 0 && n < 19 && (n == 1 || s.line[0] != '0')
	s.line = s.line[n:]
	return v
}

func (s *scanner) int() int64 {
	if s.has("-") {
		return -int64(s.uint())
	}
	return int64(s.uint())
}

func (s *scanner) intAfter(field string) int64 {
	if !s.has(field) {
		return 0
	}
	return s.int()
}

// text reads up to the quote. Anything that JSON would have had to escape is not plain.
func (s *scanner) text() []byte {
	end := bytes.IndexByte(s.line, '"')
	if end < 0 || !plain(string(s.line[:end])) {
		s.ok = false
		return nil
	}
	text := s.line[:end]
	s.line = s.line[end+1:]
	return text
}

// known returns the words that nearly every line has without allocating them anew.
func known(word []byte) string {
	switch string(word) {
	case "submitted":
		return "submitted"
	case "settled":
		return "settled"
	case string(OK):
		return string(OK)
	}
	return string(word)
}
