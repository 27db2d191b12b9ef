package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/internal/columns"
	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/scenarios"
)

func newList() *cobra.Command {
	var asJSON bool
	kinds := []string{"scenarios", "targets", "faults", "metrics", "floors", "tasks", "bugs"}
	cmd := &cobra.Command{
		Use:   "list [scenarios|targets|faults|metrics|floors|tasks|bugs]",
		Short: "List the library, and everything a scenario can name",
		Long: "List the scenarios of the library, the targets, the faults, the metrics for conditions, the floors " +
			"that limits\nmay be multiples of, the built-in tasks, and the bugs that can be put at the edge of " +
			"the pool.",
		Example: "  respawn list\n  respawn list metrics",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usage("one list at a time, or all of them without a word: run 'respawn list --help'")
			case len(args) == 1 && !slices.Contains(kinds, args[0]):
				return usage("there is no list %q: %s: run 'respawn list --help'",
					args[0], nearest.Meant(args[0], kinds))
			}
			return nil
		},
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := scenarios.List()
			if err != nil {
				return err
			}
			if asJSON && len(args) == 0 {
				return writeJSON(cmd.OutOrStdout(), l)
			}
			for _, section := range []struct {
				name string
				list []scenarios.Entry
			}{
				{"scenarios", l.Scenarios},
				{"targets", l.Targets},
				{"faults", l.Faults},
				{"metrics", l.Metrics},
				{"floors", l.Floors},
				{"tasks", l.Tasks},
				{"bugs", l.Bugs},
			} {
				switch {
				case len(args) > 0 && args[0] != section.name:
				case asJSON:
					return writeJSON(cmd.OutOrStdout(), map[string][]scenarios.Entry{section.name: section.list})
				default:
					printEntries(cmd.OutOrStdout(), section.name, section.list)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printEntries(w io.Writer, title string, list []scenarios.Entry) {
	fmt.Fprintf(w, "%s:\n", title)
	var rows [][2]string
	longest := 0
	for _, e := range list {
		doc := e.Doc
		if e.Unit != "" {
			doc = "(" + e.Unit + ") " + doc
		}
		longest = max(longest, len(e.Name))
		rows = append(rows, [2]string{e.Name, printable(doc)})
	}
	room := width(w)
	for _, r := range rows {
		name, doc := r[0], columns.Wrap(r[1], max(20, room-longest-5))
		fmt.Fprintf(w, "  %-*s  %s\n", longest, name, strings.Join(doc, "\n"+strings.Repeat(" ", longest+4)))
	}
}
