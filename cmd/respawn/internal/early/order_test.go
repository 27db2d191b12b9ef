package early_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Packages that make what imports them be initialised late, after much that no worker needs:
// docs/decisions/0020-early-workers.md.
func TestNothingUnderTheWorkersIsInitialisedLate(t *testing.T) {
	const early = "github.com/respawn-go/respawn/cmd/respawn/internal/early"
	out, err := exec.Command("go", "list", "-deps", early).Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "runtime/debug", "regexp", "net/http", "text/template", "github.com/spf13/cobra", "go.yaml.in/yaml/v4":
			t.Errorf("workers of the command depend on %s, which makes each of them start later", dep)
		}
	}
}
