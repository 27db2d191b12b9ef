package targets_test

import (
	"context"
	"fmt"
	"os"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// A kind of target is a row: settings that a file fills, and that open it.
func Example() {
	dir, err := os.MkdirTemp("", "respawn-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	settings := targets.Of("pool").New()
	settings.(*own.Settings).Size = 2 //nolint:forcetypeassert // the row's own
	t, err := settings.Open(context.Background(), kind.Place{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.End()
	members, err := t.Members(context.Background())
	_, probed := t.Target.(chaos.Prober)
	fmt.Println(len(members), "members,", err, "answers probes:", probed)
	// Output: 2 members, <nil> answers probes: true
}
