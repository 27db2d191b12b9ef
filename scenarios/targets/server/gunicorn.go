package server

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

var gunicorn = foreign.Tool{
	Name: "gunicorn", Version: []string{"--version"}, Install: "apt-get install gunicorn", Use: "the gunicorn target",
}

// startGunicorn starts gunicorn with sync workers, its default. A worker that was forked a moment before gunicorn is
// told to end may lose the SIGTERM (https://github.com/benoitc/gunicorn/issues/1910); gunicorn kills it after the
// graceful timeout, which is 30 s by default.
func startGunicorn(s *Server, c Config) error {
	program, err := gunicorn.Find()
	if err != nil {
		return err
	}
	s.version = versionOf(program, gunicorn)
	if err := s.place("app.py"); err != nil {
		return err
	}
	return s.run([]string{"HOME=" + s.dir, "PYTHONDONTWRITEBYTECODE=1"}, program,
		"--bind", fmt.Sprintf("127.0.0.1:%d", s.port), "--workers", strconv.Itoa(c.Size),
		"--chdir", s.dir, "--worker-tmp-dir", s.dir, "--backlog", "1024", "--timeout", "60", "--graceful-timeout", "5",
		"--log-level", "warning", "app:app")
}

// versionOf is the first word with a digit and a dot in what a program says of its version.
func versionOf(program string, tool foreign.Tool) string {
	for word := range strings.FieldsSeq(tool.VersionAt(context.Background(), program)) {
		word = strings.Trim(word[strings.LastIndexByte(word, '/')+1:], "()")
		if strings.Contains(word, ".") && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return filepath.Base(program)
}
