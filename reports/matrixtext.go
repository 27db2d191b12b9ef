package reports

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/internal/columns"
)

// matrixColumns are the columns of the matrix as text.
var matrixColumns = []string{
	"target", "scenario", "verdict", "size back", "new pids of kills", "slots answer",
	"ok / failed / hung / lost / dup", "recovery p50 / p99 or max", "usable after",
}

// table is the matrix as text, under the names of its columns: a row for each cell, or where cells are told in a few
// words one for each target.
func (m *Matrix) table() [][]string {
	if m.told() {
		return append([][]string{append([]string{"target"}, m.Titles...)}, m.targets()...)
	}
	return append([][]string{matrixColumns}, m.rows()...)
}

// told tells whether cells are told in a few words.
func (m *Matrix) told() bool {
	return slices.ContainsFunc(m.Targets, func(t MatrixTarget) bool {
		return slices.ContainsFunc(t.Cells, func(c MatrixCell) bool { return c.Told != "" })
	})
}

// targets has a row for each target.
func (m *Matrix) targets() (rows [][]string) {
	for _, t := range m.Targets {
		row := append(make([]string, 0, 1+len(m.Scenarios)), strings.TrimSpace(t.Pool+" "+t.Version))
		if t.Missing != "" {
			row = append(row, t.Missing)
		}
		for i := range t.Cells {
			c := &t.Cells[i]
			if c.Refused != "" {
				row = append(row, "not run: "+c.Refused)
			} else {
				row = append(row, c.Brief())
			}
		}
		for len(row) < 1+len(m.Scenarios) {
			row = append(row, "")
		}
		rows = append(rows, row)
	}
	return rows
}

// rows has a row for each cell.
func (m *Matrix) rows() (rows [][]string) {
	for _, t := range m.Targets {
		name := strings.TrimSpace(t.Pool + " " + t.Version)
		if t.Missing != "" {
			rows = append(rows, []string{name, t.Missing, "", "", "", "", "", "", ""})
		}
		for i := range t.Cells {
			c := &t.Cells[i]
			if c.Refused != "" {
				rows = append(rows, []string{name, c.Scenario, "not run: " + c.Refused, "", "", "", "", "", ""})
				continue
			}
			rows = append(rows, []string{
				name, c.Scenario, strings.TrimSuffix(string(c.Verdict())+", "+c.Rate(), ", "), c.Size(), c.Pids(),
				c.Answers(), c.Tasks(), c.Recovery(), c.Usable(),
			})
		}
	}
	return rows
}

// header says on what, and how often, the matrix was measured.
func (m *Matrix) header() string {
	return fmt.Sprintf("%s; %s; %s; made by %s", m.Started.UTC().Format("2006-01-02"), m.Host(), m.Seeds(), m.Command)
}

// Host is what is known of the machine, in one line.
func (m *Matrix) Host() string {
	var facts []string
	for _, name := range slices.Sorted(maps.Keys(m.Environment)) {
		facts = append(facts, name+" "+m.Environment[name])
	}
	return strings.Join(facts, ", ")
}

// Seeds says with which seeds each cell was run, and how often.
func (m *Matrix) Seeds() string {
	runs := 0
	var first, last uint64
	for _, t := range m.Targets {
		for _, c := range t.Cells {
			if runs == 0 && len(c.Runs) > 0 {
				runs, first, last = len(c.Runs), c.Runs[0].Seed, c.Runs[len(c.Runs)-1].Seed
			}
		}
	}
	if runs <= 1 {
		return fmt.Sprintf("seed %d, 1 run a cell", first)
	}
	return fmt.Sprintf("seeds %d to %d, %d runs a cell", first, last, runs)
}

// Text writes the matrix for a terminal, in at most width columns: as a table, or, where its longest words take more,
// row by row.
func (m *Matrix) Text(w io.Writer, width int) error {
	fmt.Fprintln(w, strings.Join(columns.Wrap(m.header(), width), "\n"))
	var rows [][]string
	last := ""
	for _, row := range m.table() {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = oneLine(c)
		}
		if cells[0] == last {
			cells[0] = ""
		} else {
			last = cells[0]
		}
		rows = append(rows, cells)
	}
	return columns.WriteNamed(w, width, rows)
}

// Markdown writes the matrix as a table for a README.
func (m *Matrix) Markdown(w io.Writer) error {
	table := m.table()
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(table[0], " | "), strings.Repeat(" --- |", len(table[0])))
	last := ""
	for _, row := range table[1:] {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = inert(c)
		}
		if row[0] == last {
			cells[0] = ""
		}
		last = row[0]
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", inert(m.header()))
	return err
}

// oneLine keeps text of others from starting a line or steering the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, safe(s))
}
