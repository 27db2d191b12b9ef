// Package doctor finds out what a host offers to the pool and the chaos harness, and how to get what it lacks. It looks
// by trying, on processes and groups of its own, and leaves nothing behind.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/respawn-go/respawn/internal/columns"
)

// Check is one thing that a host may offer.
type Check struct {
	Area   string `json:"area"` // what it belongs to: "system", "processes", "cgroups", …
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was found, or why not
	Remedy string `json:"remedy,omitempty"` // what to do about it, if it is not OK
	Use    string `json:"use"`              // what goes without it
}

// areas in the order in which they are looked at and told.
var areas = []struct {
	name  string
	check func(context.Context) []Check
}{
	{"system", system},
	{"processes", processes},
	{"cgroups", cgroups},
	{"memory", memory},
	{"limits", limits},
	{"namespaces", namespaces},
	{"programs", programs},
}

// Examine looks at everything.
func Examine(ctx context.Context) []Check {
	var all []Check
	for _, a := range areas {
		for _, c := range a.check(ctx) {
			c.Area = a.name
			if c.OK {
				c.Remedy = ""
			}
			all = append(all, c)
		}
	}
	return all
}

// Table writes the checks for people, in at most so many columns.
func Table(w io.Writer, width int, checks []Check) error {
	var rows [][]string
	area, lacking := "", 0
	for _, c := range checks {
		if c.Area != area {
			area = c.Area
			rows = append(rows, []string{strings.ToUpper(area)})
		}
		mark := "ok"
		if !c.OK {
			mark = "no"
			lacking++
		}
		rows = append(rows, []string{"  " + mark + "  " + c.Name, c.Detail})
		if !c.OK {
			rows = append(rows, []string{"", "needed for: " + c.Use}, []string{"", "remedy: " + c.Remedy})
		}
	}
	if err := columns.Write(w, width, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d are here.\n", len(checks)-lacking, len(checks))
	return err
}

// found makes a check out of an error: nil is OK.
func found(name, use, remedy string, err error, detail string, args ...any) Check {
	c := Check{Name: name, Use: use, Remedy: remedy, OK: err == nil, Detail: fmt.Sprintf(detail, args...)}
	if err != nil {
		c.Detail = err.Error()
	}
	return c
}
