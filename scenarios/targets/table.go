// Package targets is the table of what a scenario can name as its target. Each kind is a folder here and a row below.
package targets

import (
	"slices"

	"github.com/respawn-go/respawn/scenarios/targets/attach"
	"github.com/respawn-go/respawn/scenarios/targets/command"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/fleet"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/own"
	"github.com/respawn-go/respawn/scenarios/targets/server"
)

// table is in reading order.
var table = []kind.Kind{own.Row, driver.Row, server.Row, command.Row, attach.Row, fleet.Row}

// Kinds lists the kinds of targets.
func Kinds() []kind.Kind { return slices.Clone(table) }

// Of finds the row of a name; the zero Kind, which can do nothing, for one that is no target's.
func Of(name string) kind.Kind {
	if i := slices.IndexFunc(table, func(k kind.Kind) bool { return k.Name == name }); i >= 0 {
		return table[i]
	}
	return kind.Kind{}
}
