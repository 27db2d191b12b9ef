package foreign

import (
	"cmp"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Tool is a program that targets start and that may not be installed. respawn doctor lists those of the targets' rows.
type Tool struct {
	Name    string   // on the PATH, or in the directories of the system's daemons, which are often not in it
	Others  []string // other names of it, or patterns of files, the last match first; nil for none
	Version []string // arguments with which it tells its version
	Install string   // the command that installs it
	Use     string   // what goes without it: "the gunicorn target"
}

// Find is the path of the program. The error is a [*NotInstalledError].
func (t Tool) Find() (string, error) {
	for _, dir := range []string{"", "/usr/sbin/", "/usr/local/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + t.Name); err == nil {
			return path, nil
		}
	}
	for _, name := range t.Others {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		if matches, _ := filepath.Glob(name); len(matches) > 0 {
			return slices.Max(matches), nil
		}
	}
	return "", &NotInstalledError{What: t.Name, Install: t.Install}
}

// VersionAt is the first line that the program at that path prints of itself, on stderr if it prints none on stdout
// (nginx); "" when it prints none in time.
func (t Tool) VersionAt(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, path, t.Version...)
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	line, _, _ := strings.Cut(cmp.Or(strings.TrimSpace(string(out)), strings.TrimSpace(stderr.String())), "\n")
	return line
}
