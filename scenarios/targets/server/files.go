package server

import (
	"embed"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed files
var files embed.FS

// place writes one of the files into the server's directory. With data it is a template. Everybody may read it, since it
// is not for the user who writes it.
func (s *Server) place(name string, data any) error {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, name)
	if data == nil {
		return os.WriteFile(path, text, 0o644)
	}
	t, err := template.New(name).Parse(string(text))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Execute(f, data)
}
