package check_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/workers/check"
)

// languages are those that there is an SDK for, with a worker that has no task of its own.
var languages = map[string][]string{
	"Python": {"python3", "testdata/worker.py"},
	"Node":   {"node", "testdata/worker.mjs"},
}

// command is a worker, or the test is skipped for want of its interpreter.
func command(t *testing.T, argv []string, env ...string) check.Command {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skipf("there is no %s here: %v", argv[0], err)
	}
	return check.Command{Argv: argv, Env: append(env, "PYTHONDONTWRITEBYTECODE=1")}
}

// The worker in Perl has no SDK: it was written from docs/wire.md.
func TestCheckFindsNothingWrongWithAWorkerInAThirdLanguage(t *testing.T) {
	takes.Long(t)
	if out, err := exec.Command("perl", "-MJSON::PP", "-MTime::HiRes", "-e", "1").CombinedOutput(); err != nil {
		t.Skipf("there is no Perl with its modules here: %v %s", err, out)
	}
	t.Parallel()
	r, err := check.Check(context.Background(), check.Command{Argv: []string{"perl", "../perl/worker.pl"}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(r.OK()).To(BeTrue(), r.String())
}

func TestCheckFindsNothingWrongWithTheReferenceInGo(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g, program := NewWithT(t), filepath.Join(t.TempDir(), "reference")
	out, err := exec.Command("go", "build", "-o", program, "../reference").CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	r, err := check.Check(context.Background(), check.Command{Argv: []string{program}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.OK()).To(BeTrue(), r.String())
}

func TestCheckFindsNothingWrongWithTheSDKs(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	for name, argv := range languages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := check.Check(context.Background(), command(t, argv))
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			NewWithT(t).Expect(r.OK()).To(BeTrue(), r.String())
			t.Log(r)
		})
	}
}
