// Package programs has the servers and supervisors that respawn matrix tests: table.yaml says of each how it is started, and which of
// its processes are members.
package programs

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/workers"
)

//go:embed *.sh *.py *.cjs *.rb *.ru *.conf *.cfg *.ini table.yaml
var files embed.FS

// Row is one program.
type Row struct {
	// Name is short, for command lines: "supervisord".
	Name string `yaml:"name"`
	// Title is what it is, with the setting that makes it another row: "supervisord, startretries=100".
	Title string `yaml:"title"`
	// Family is that of the matrix: "servers", "supervisors".
	Family string `yaml:"family"`
	// Command is the target's settings, as a scenario has them below target.command. HERE in it stands for the directory of Dir.
	Command map[string]any `yaml:"command"`
	// Load is what it answers, as a scenario has it below load; nil where nothing is asked.
	Load map[string]any `yaml:"load"`
}

// All lists the programs in the order of the table.
var All = sync.OnceValue(func() (rows []Row) {
	text, err := files.ReadFile("table.yaml")
	if err == nil {
		err = yaml.Load(text, &rows, yaml.WithKnownFields())
	}
	if err != nil {
		panic(fmt.Sprintf("programs/table.yaml: %v", err)) // a test reads it
	}
	return rows
})

// Dir finds the directory with the files that programs are started with: scenarios/programs here or in a parent of the working
// directory. Elsewhere they are written to a folder in scratch.
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

// Path is PATH behind the directories where install.sh puts the versions that it names, and before those of the system's daemons.
func Path() string {
	var dirs []string
	if cache, err := os.UserCacheDir(); err == nil {
		here := filepath.Join(cache, "respawn/programs")
		dirs = append(dirs, filepath.Join(here, "bin"), filepath.Join(here, "node_modules/.bin"))
	}
	return strings.Join(append(dirs, os.Getenv("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin"), string(os.PathListSeparator))
}
