package check

import "strings"

// meant is the end of an error about an unknown word: the nearest right one, or all of them.
func meant(word string, known []string) string {
	if n := nearest(word, known); n != "" {
		return "did you mean " + n + "?"
	}
	return "known are " + strings.Join(known, ", ")
}

// metricMeant is meant for the name of a metric, of which there are too many to list: those of the same family, if any.
func metricMeant(word string) string {
	if n := nearest(word, Names()); n != "" {
		return "did you mean " + n + "?"
	}
	family, _, _ := strings.Cut(word, ".")
	var same []string
	for _, n := range Names() {
		if strings.HasPrefix(n, family+".") {
			same = append(same, n)
		}
	}
	if len(same) == 0 || len(same) > 20 {
		return "the metrics are listed in docs/metrics.md"
	}
	return "known are " + strings.Join(same, ", ")
}

// nearest is the word of known with the fewest edits from the given one, "" when it takes more than a third of the word.
func nearest(word string, known []string) string {
	best, bound := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := edits(strings.ToLower(word), k); d < bound {
			best, bound = k, d
		}
	}
	return best
}

// edits counts insertions, deletions and substitutions between two words: the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, cost)
		}
	}
	return row[len(b)]
}
