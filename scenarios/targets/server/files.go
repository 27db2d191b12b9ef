package server

import (
	"embed"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed files
var files embed.FS

// place writes one of the files into the server's directory, with {{dir}}, {{port}} and {{size}} filled in. Everybody
// may read it, since it is not for the user who writes it.
func (s *Server) place(name string) error {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		return err
	}
	fill := strings.NewReplacer("{{dir}}", s.dir, "{{port}}", strconv.Itoa(s.port), "{{size}}", strconv.Itoa(s.size))
	return os.WriteFile(filepath.Join(s.dir, name), []byte(fill.Replace(string(text))), 0o644)
}
