package scenarios

import (
	"embed"
	"io/fs"
	"strings"

	"github.com/respawn-go/respawn/internal/nearest"
)

//go:embed library/*.yaml
var library embed.FS

// Library lists the names of the canonical scenarios, sorted. [ReadNamed] reads one.
func Library() []string {
	files, _ := fs.Glob(library, "library/*.yaml") // the pattern is constant
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(f, "library/"), ".yaml")
	}
	return names
}

// ReadNamed reads a scenario of the library by its name. The error of an unknown name suggests the nearest one.
func ReadNamed(name string, opts Options) (*Scenario, error) {
	text, err := library.ReadFile("library/" + name + ".yaml")
	if err != nil {
		return nil, Problems{
			{File: name, Text: "is neither a file nor a scenario of the library: " + nearest.Meant(name, Library())},
		}
	}
	return Parse("library/"+name+".yaml", text, opts)
}
