package server

import (
	"context"
	"strings"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Row is the row of preforking servers.
var Row = kind.Kind{
	Name:   "server",
	Doc:    "A preforking server: a task is an HTTP request.",
	New:    func() kind.Settings { return &Settings{} },
	Spawns: true,
	Tools:  []foreign.Tool{gunicorn, nginx, phpFPM},
	Can:    kind.Can{Abilities: []string{"Supervised"}, Tasks: []string{"sleep", "square"}},
	Known: func(kind.Files) (list []kind.Known) {
		for _, name := range Kinds() {
			list = append(list,
				kind.Known{Family: kind.Pools, Name: name, Pool: name, Settings: map[string]any{"kind": name}})
		}
		// gunicorn is a row of package programs, with an application that says who answers
		php := map[string]any{"kind": "php-fpm"}
		return append(list, kind.Known{
			Family: kind.Servers, Name: "php-fpm", Pool: "php-fpm", Settings: php,
			Load: map[string]any{"task": "square"},
		})
	},
}

// Settings is a preforking server.
type Settings struct {
	Kind string      `yaml:"kind" enum:"gunicorn php-fpm" doc:"gunicorn, or php-fpm behind nginx."`
	Size units.Count `yaml:"size" zero:"no pool: want at least 1" doc:"Workers."`
}

// Members implements kind.Settings.
func (s *Settings) Members() int { return int(s.Size) }

// Check implements kind.Settings.
func (s *Settings) Check(fail func(key, format string, args ...any)) {
	if s.Kind == "" {
		fail("", "kind is missing: want %s", strings.Join(Kinds(), " or "))
	}
}

// Open implements kind.Settings.
func (s *Settings) Open(ctx context.Context, at kind.Place) (*kind.Opened, error) {
	t, err := StartTarget(ctx, Config{Kind: s.Kind, Size: max(int(s.Size), 1), Dir: at.Dir})
	if err != nil {
		return nil, err
	}
	return &kind.Opened{Target: t, Witness: t.Witness(), Closing: t.Close, End: t.Close}, nil
}
