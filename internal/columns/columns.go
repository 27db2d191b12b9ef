// Package columns writes tables for terminals: what would not fit is broken between words, each piece below its own
// column.
package columns

import (
	"fmt"
	"io"
	"strings"
)

// gap is the room between two columns.
const gap = 2

// Write writes the rows in at most width columns, as far as the longest words allow. Cells are of one line; a row may
// be shorter than others.
func Write(w io.Writer, width int, rows [][]string) error {
	widths := fit(width, rows)
	var out strings.Builder
	for _, row := range rows {
		cells, lines := make([][]string, len(row)), 1
		for i, cell := range row {
			cells[i] = Wrap(cell, widths[i])
			lines = max(lines, len(cells[i]))
		}
		for line := range lines {
			var text strings.Builder
			for i, cell := range cells {
				piece := ""
				if line < len(cell) {
					piece = cell[line]
				}
				text.WriteString(piece + strings.Repeat(" ", max(0, widths[i]-length(piece))+gap))
			}
			out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
		}
	}
	_, err := fmt.Fprint(w, out.String())
	return err
}

// WriteNamed writes rows of which the first names the columns. Where their longest words alone take more than width,
// each further row is a paragraph instead: its first cell, and below it what the others are, by name if there are
// several.
func WriteNamed(w io.Writer, width int, rows [][]string) error {
	if len(rows) == 0 || total(fit(width, rows)) <= width {
		return Write(w, width, rows)
	}
	var out strings.Builder
	for _, row := range rows[1:] {
		if row[0] != "" {
			out.WriteString(strings.Join(Wrap(row[0], width), "\n") + "\n")
		}
		var said []string
		only := ""
		for i, cell := range row[1:] {
			if cell != "" {
				said, only = append(said, rows[0][i+1]+": "+cell), cell
			}
		}
		if len(said) == 1 { // it stands for the whole row
			said[0] = only
		}
		for _, line := range Wrap(strings.Join(said, "; "), width-gap) {
			out.WriteString(strings.Repeat(" ", gap) + line + "\n")
		}
	}
	_, err := fmt.Fprint(w, out.String())
	return err
}

func total(widths []int) int {
	sum := -gap
	for _, n := range widths {
		sum += n + gap
	}
	return sum
}

// fit is the widths of the columns: what their cells take, and as long as that is too much the widest gives way, down
// to its longest word.
func fit(width int, rows [][]string) (widths []int) {
	var least []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, least = append(widths, 0), append(least, 0)
			}
			widths[i] = max(widths[i], length(cell))
			for word := range strings.FieldsSeq(cell) {
				least[i] = max(least[i], length(word))
			}
		}
	}
	for {
		widest := -1
		for i, n := range widths {
			if n > least[i] && (widest < 0 || n > widths[widest]) {
				widest = i
			}
		}
		if total(widths) <= width || widest < 0 {
			return widths
		}
		widths[widest]--
	}
}

// Wrap is a text in lines of so many columns, broken between words only. One that fits keeps its spaces.
func Wrap(text string, columns int) (lines []string) {
	if length(text) <= columns {
		return []string{text}
	}
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && length(line)+1+length(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func length(s string) int { return len([]rune(s)) }
