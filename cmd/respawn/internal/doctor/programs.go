package doctor

import (
	"cmp"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is one that targets, drivers or tests can use.
type program struct {
	name  string
	paths []string // names on the PATH, or patterns of files
	args  []string // that make it tell its version
	use   string
	deb   string // Debian's package
}

var known = []program{
	{"python3", []string{"python3"}, []string{"--version"}, "drivers of CPython's pools, and the comparison in bench", "python3"},
	{"node", []string{"node"}, []string{"--version"}, "drivers of Node's pools", "nodejs"},
	{"gunicorn", []string{"gunicorn"}, []string{"--version"}, "the gunicorn target", "gunicorn"},
	{"nginx", []string{"nginx", "/usr/sbin/nginx"}, []string{"-v"}, "the php-fpm target", "nginx-light"},
	{"php-fpm", []string{"php-fpm", "php-fpm[0-9]*", "/usr/sbin/php-fpm*"}, []string{"-v"}, "the php-fpm target", "php-fpm"},
	{"chromium", []string{"chromium", "chromium-browser", "google-chrome"}, []string{"--version"}, "the browser test of reports", "chromium"},
}

// programs looks for what other pools and tests need. None of it is needed for the pool itself.
func programs(ctx context.Context) (checks []Check) {
	for _, p := range known {
		path, err := p.find()
		detail := path
		if err == nil {
			detail = p.version(ctx, path) + "  " + path
		}
		checks = append(checks, found(p.name, p.use, "apt-get install "+p.deb, err, "%s", strings.TrimSpace(detail)))
	}
	return checks
}

func (p program) find() (string, error) {
	for _, name := range p.paths {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		if matches, _ := filepath.Glob(name); len(matches) > 0 {
			return matches[0], nil
		}
	}
	return "", errors.New("not installed")
}

// version is the first line that the program prints of itself, on stderr if it prints none on stdout (nginx); "" when it
// prints none in time.
func (p program) version(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, path, p.args...)
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	line, _, _ := strings.Cut(cmp.Or(strings.TrimSpace(string(out)), strings.TrimSpace(stderr.String())), "\n")
	return line
}
