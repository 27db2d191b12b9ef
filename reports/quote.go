package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
)

// quote takes the lines of the history that tell of the story out of its file. What cannot be read is left out: the
// story is told without them, too.
func (s *story) quote(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	wanted := map[int]bool{}
	for _, i := range s.faults {
		for _, line := range i.Lines {
			wanted[line] = true
		}
	}
	in := bufio.NewReaderSize(f, 256<<10)
	hints := s.hints()
	for n := 1; ; n++ {
		line, err := wholeLine(in)
		if err != nil {
			return
		}
		if n == 1 || !wanted[n] && n != s.line && !s.tells(line, hints) {
			continue
		}
		if len(s.Quotes) == mostQuotes && n != s.line {
			s.QuotesCut++
			continue
		}
		text := string(line)
		if len(text) > longestLine {
			text = strings.ToValidUTF8(text[:longestLine], "") + " …"
		}
		s.Quotes = append(s.Quotes, quote{n, text, n == s.line})
	}
}

// wholeLine is the next line, however long, without its newline.
func wholeLine(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if err == nil && long == nil {
			return part[:len(part)-1], nil
		}
		long = append(long, part...)
		switch {
		case err == bufio.ErrBufferFull && len(long) <= history.MaxLine:
		case err == nil, err == io.EOF && len(long) > 0:
			return bytes.TrimSuffix(long, []byte{'\n'}), nil
		default:
			return nil, io.EOF
		}
	}
}

// hints are parts of the lines that can tell of the story: most lines need not be read for it.
func (s *story) hints() (list [][]byte) {
	if s.has {
		list = append(list, fmt.Appendf(nil, `"id":%d,`, s.task), fmt.Appendf(nil, `"task":%d,`, s.task))
	}
	for pid := range s.pids {
		list = append(list, fmt.Appendf(nil, `"pid":%d`, pid))
	}
	return list
}

// tells is whether the line is of the story's task, or of the life of one of its processes.
func (s *story) tells(line []byte, hints [][]byte) bool {
	hinted := false
	for _, h := range hints {
		hinted = hinted || bytes.Contains(line, h)
	}
	var e history.Event
	if !hinted || json.Unmarshal(line, &e) != nil {
		return false
	}
	switch {
	case e.Task != nil:
		return s.has && e.Task.ID == s.task
	case e.Run != nil:
		return s.has && e.Run.Task == s.task
	case e.Member != nil:
		return s.pids[e.Member.PID]
	case e.Probe != nil:
		return s.pids[e.Probe.PID] && e.Probe.For > 0
	}
	return false
}

// quotes tells whether the line is among those that are shown as they are.
func (s *story) quotes(line int) bool {
	return s != nil && slices.ContainsFunc(s.Quotes, func(q quote) bool { return q.N == line })
}
