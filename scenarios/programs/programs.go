// Package programs has the servers and supervisors that respawn matrix tests: rows has a file for each family, which
// says how each is started, and which of its processes are members.
package programs

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/workers"
)

//go:embed *.sh *.py *.cjs *.rb *.ru *.conf *.cfg *.ini *.json rows/*.yaml
var files embed.FS

// Row is one program.
type Row struct {
	// Name is short, for command lines: "supervisord".
	Name string `yaml:"name"`
	// Title is what it is, with the setting that makes it another row: "supervisord, startretries=100".
	Title string `yaml:"title"`
	// Family is that of the matrix, and the name of its file: "servers", "supervisors".
	Family string `yaml:"-"`
	// Command is the target's settings, as a scenario has them below target.command. HERE in it stands for the
	// directory of Dir.
	Command map[string]any `yaml:"command"`
	// Load is what it answers, as a scenario has it below load; nil where nothing is asked.
	Load map[string]any `yaml:"load"`
}

// All lists the programs, in the order of their files.
var All = sync.OnceValue(func() (all []Row) {
	paths, _ := fs.Glob(files, "rows/*.yaml")
	for _, file := range paths {
		var rows []Row
		text, err := files.ReadFile(file)
		if err == nil {
			err = yaml.Load(text, &rows, yaml.WithKnownFields())
		}
		if err != nil {
			panic(fmt.Sprintf("programs/%s: %v", file, err)) // a test reads it
		}
		for _, row := range rows {
			row.Family = strings.TrimSuffix(path.Base(file), ".yaml")
			all = append(all, row)
		}
	}
	return all
})

// Dir finds the directory with the files that programs are started with: scenarios/programs here or in a parent of the
// working directory. Elsewhere they are written to a folder in scratch.
func Dir(into string) (string, error) {
	into = filepath.Join(into, "programs")
	dir, err := scratch.Files("scenarios/programs", "worker.sh", into, files)
	if err == nil && dir == into {
		err = workers.WritePython(into)
	}
	return dir, err
}

// Settings is the row's Command with every HERE replaced.
func (r Row) Settings(dir string) map[string]any {
	return placed(r.Command, dir).(map[string]any) //nolint:forcetypeassert // of a map comes a map
}

// placed is a value of YAML with every HERE replaced.
func placed(v any, dir string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "HERE", dir)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = placed(v[i], dir)
		}
		return list
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = placed(v[key], dir)
		}
		return out
	}
	return v
}

// Path is PATH behind the directories where install.sh puts the versions that it names, and before those of the
// system's daemons.
func Path() string {
	var dirs []string
	if cache, err := os.UserCacheDir(); err == nil {
		here := filepath.Join(cache, "respawn/programs")
		dirs = append(dirs, filepath.Join(here, "bin"), filepath.Join(here, "node_modules/.bin"))
	}
	return strings.Join(append(dirs, os.Getenv("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin"),
		string(os.PathListSeparator))
}
