package main

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// terminal is what a terminal shows of what is written to it. Like most, it breaks rows that a narrower window has no
// room for.
type terminal struct {
	mu         sync.Mutex
	wide, high int
	rows       [][]rune
	row, col   int
	nowrap     bool
	hidden     bool // the cursor
	escape     string
	rest       []byte // of a rune
}

func newTerminal(wide, high int) *terminal {
	return &terminal{wide: wide, high: high, rows: [][]rune{nil}}
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	for utf8.FullRune(t.rest) {
		r, n := utf8.DecodeRune(t.rest)
		t.rest = t.rest[n:]
		t.take(r)
	}
	return len(p), nil
}

func (t *terminal) take(r rune) {
	switch {
	case t.escape != "":
		t.escape += string(r)
		if r != '[' && r >= '@' && r <= '~' {
			t.obey(t.escape[2:len(t.escape)-1], r)
			t.escape = ""
		}
	case r == 0x1b:
		t.escape = string(r)
	case r == '\r':
		t.col = 0
	case r == '\n':
		if t.row++; t.row == len(t.rows) {
			t.rows = append(t.rows, nil)
		}
	default:
		if t.col == t.wide && t.nowrap {
			t.col--
		}
		if t.col == t.wide {
			t.take('\r')
			t.take('\n')
		}
		for len(t.rows[t.row]) <= t.col {
			t.rows[t.row] = append(t.rows[t.row], ' ')
		}
		t.rows[t.row][t.col] = r
		t.col++
	}
}

func (t *terminal) obey(how string, what rune) {
	n, _ := strconv.Atoi(how)
	switch {
	case what == 'A':
		t.row = max(t.row-max(n, 1), len(t.rows)-t.high, 0)
	case what == 'K', what == 'J':
		t.rows[t.row] = t.rows[t.row][:min(t.col, len(t.rows[t.row]))]
		for i := t.row + 1; what == 'J' && i < len(t.rows); i++ {
			t.rows[i] = nil
		}
	case how == "?7":
		t.nowrap = what == 'l'
	case how == "?25":
		t.hidden = what == 'l'
	}
}

func (t *terminal) resize(wide, high int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows [][]rune
	for i, row := range t.rows {
		if i == t.row {
			t.row = len(rows)
		}
		for len(row) > wide {
			rows, row = append(rows, row[:wide:wide]), row[wide:]
		}
		rows = append(rows, row)
	}
	t.rows, t.wide, t.high = rows, wide, high
}

// text is the rows in the window, without empty ones at the end.
func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for _, row := range t.rows[max(0, len(t.rows)-t.high):] {
		out.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(out.String(), "\n")
}
