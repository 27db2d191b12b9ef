// Package columns writes tables for terminals: what would not fit is broken between words, each piece below its own column.
package columns

import (
	"fmt"
	"io"
	"strings"
)

// gap is the room between two columns.
const gap = 2

// Write writes the rows in at most width columns, as far as the longest words allow. Cells are of one line; a row may be shorter than others.
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

// fit is the widths of the columns: what their cells take, and as long as that is too much the widest gives way, down to its
// longest word.
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
		total, widest := -gap, -1
		for i, n := range widths {
			total += n + gap
			if n > least[i] && (widest < 0 || n > widths[widest]) {
				widest = i
			}
		}
		if total <= width || widest < 0 {
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
