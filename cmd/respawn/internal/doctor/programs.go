package doctor

import (
	"context"
	"strings"

	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// chromium is no target's: tests of reports start it.
var chromium = foreign.Tool{
	Name: "chromium", Others: []string{"chromium-browser", "google-chrome"}, Version: []string{"--version"},
	Install: "apt-get install chromium",
	Use:     "the browser test of reports",
}

// programs looks for what other pools and tests need. None of it is needed for the pool itself.
func programs(ctx context.Context) (checks []Check) {
	var tools []foreign.Tool
	for _, k := range targets.Kinds() {
		tools = append(tools, k.Tools...)
	}
	for _, t := range append(tools, chromium) {
		path, err := t.Find()
		detail := path
		if err == nil {
			detail = strings.TrimSpace(t.VersionAt(ctx, path) + "  " + path)
		}
		checks = append(checks, found(t.Name, t.Use, t.Install, err, "%s", detail))
	}
	return checks
}
