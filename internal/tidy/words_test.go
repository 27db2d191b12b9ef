package tidy

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// matches finds every line of a text file that the pattern matches.
func matches(f *file, pattern *regexp.Regexp) (found []finding) {
	if !utf8.ValidString(f.text) || strings.HasPrefix(f.path, "internal/tidy/") {
		return nil
	}
	n := 0
	for line := range strings.Lines(f.text) {
		n++
		if m := pattern.FindString(line); m != "" {
			found = append(found, finding{f.path, n, "found " + m})
		}
	}
	return found
}

var looseEnd = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func noLooseEnds(f *file) []finding { return matches(f, looseEnd) }

// ofOneMachine is home directories, places beside the repository, and hosts of package registries.
var ofOneMachine = regexp.MustCompile(`(^|[^\w.])/(root|home/\w+|Users/\w+|work)/|\.\./shared\b|` +
	`https?://(proxy|registry|deb|security)\.[\w.]+|proxy\.golang\.org|registry\.npmjs\.org`)

func noMachine(f *file) []finding { return matches(f, ofOneMachine) }

func goMod(f *file) (found []finding) {
	if f.path != "go.mod" {
		return nil
	}
	n := 0
	for line := range strings.Lines(f.text) {
		n++
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "module" && words[1] != module,
			words[0] == "go" && words[1] != "1.26" && !strings.HasPrefix(words[1], "1.26."),
			words[0] == "replace":
			found = append(found, finding{f.path, n, strings.TrimSpace(line)})
		}
	}
	return found
}
