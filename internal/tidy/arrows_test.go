package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// arrow says what the packages below one directory may import: ours directly, and from elsewhere at any distance. The
// longest directory that matches a package counts. nil ours or foreign means nothing; "*" anything.
type arrow struct {
	from    string
	ours    []string
	foreign []string
	why     string
}

var arrows = []arrow{
	{
		"pool",
		[]string{
			"internal/cgroup", "internal/guardian", "internal/pidfd", "internal/reexec", "internal/codec",
			"internal/wire", "internal/process", "internal/serve", "internal/spool", "internal/inprocess",
			"internal/breaker",
		},
		[]string{sys, cborCodec, float16},
		"people link the pool into programs of their own: it brings nothing along, and knows nothing of what tests it",
	},
	{"internal/pidfd", nil, []string{sys}, "the lowest floor: it holds processes, whoever's they are"},
	{
		"internal/reexec", nil, nil,
		"the table of what this program can be: everything that starts it again stands on it",
	},
	{
		"internal/guardian",
		[]string{"internal/cgroup", "internal/pidfd", "internal/procfs", "internal/reexec"},
		[]string{sys},
		"used by the pool: see there",
	},
	{
		"pool/pooltest",
		[]string{"pool", "internal/pidfd"},
		[]string{"*"},
		"what a user's tests need beside the pool, and no more",
	},
	{"chaos", []string{
		"chaos/history", "chaos/ledger", "chaos/witness", "internal/cgroup", "internal/monotonic", "internal/procfs",
		"internal/wait", "internal/pidfd", "internal/reexec", "internal/stack",
	}, []string{sys}, "the engine knows a pool only as chaos.Target: anything else can be one too"},
	{"chaos/faults", []string{
		"chaos", "chaos/history", "internal/cgroup", "internal/pidfd", "internal/procfs", "internal/reexec",
		"internal/wait", "internal/nearest",
	}, []string{sys}, "the engine injects what is put in front of it: faults know it, and it knows none"},
	{"chaos/history", nil, nil, "a leaf: everything after it can be run again from a saved file"},
	{
		"chaos/ledger",
		[]string{"chaos/history"},
		nil,
		"what happened, told once: the judge, the page and the display cannot differ",
	},
	{
		"chaos/check",
		[]string{"chaos/history", "chaos/ledger", "internal/nearest", "internal/units"},
		nil,
		"pure: the same history gives the same verdict anywhere, offline",
	},
	{
		"fleet",
		[]string{"pool"},
		[]string{"*"},
		"the same tasks over many machines: it knows a pool, and nothing of what tests it",
	},
	{
		"fleet/broker", nil,
		[]string{"*"},
		"a server that knows no task: the one package that links it, with the command that starts it",
	},
	{
		"fleet/fleettest",
		[]string{"fleet", "pool", "internal/localfleet"},
		[]string{"*"},
		"what a user's tests need beside the fleet, and no more",
	},
	{
		"internal/localfleet",
		[]string{"fleet", "pool", "internal/cgroup", "internal/guardian", "internal/reexec", "internal/wait"},
		[]string{"*"},
		"brokers and nodes as processes of this machine, for the command and for tests",
	},
	{"cmd/respawn-fleet", []string{
		"fleet", "pool", "internal/localfleet", "internal/monotonic", "internal/pidfd", "internal/procfs",
		"internal/reexec", "internal/units", "internal/wait",
	}, []string{"*"}, "brokers and nodes: a command of its own, since its workers link a server"},
	{"scenarios", []string{
		"scenarios", "internal/conformance", "pool", "chaos", "reports", "workers", "internal/cgroup", "internal/floor",
		"internal/forks", "internal/procfs", "internal/nearest", "internal/units", "internal/wait", "internal/guardian",
		"internal/pidfd", "internal/reexec", "internal/yamlpos",
	}, []string{"*"}, "where pool and chaos meet: the adapters to chaos.Target are in scenarios/targets"},
	{
		"scenarios/internal/brokenpool", nil,
		[]string{sys},
		"it is judged: what it had of the judge's or the pool's own code would be wrong in both",
	},
	{"workers", nil, nil, "files for programs in other languages, and where to put them"},
	{
		"workers/check",
		[]string{
			"workers", "internal/conformance", "scenarios/scratch", "scenarios/targets/foreign", "internal/procfs",
		},
		[]string{sys, cborCodec, float16},
		"it judges workers: what it had of the pool's own code would be wrong in both",
	},
	{
		"reports",
		[]string{"reports", "chaos/history", "chaos/ledger", "chaos/check", "internal/columns"},
		[]string{"*"},
		"a report is made from a history and its verdict, never from live processes",
	},
	{
		"ci",
		[]string{"ci", "reports", "internal/columns", "internal/nearest", "internal/units", "internal/yamlpos"},
		[]string{"*"},
		"the gate decides on what reports wrote",
	},
	{"cmd", []string{
		"cmd", "pool", "scenarios", "reports", "ci", "workers", "internal/columns", "internal/floor",
		"internal/monotonic", "internal/nearest",
	}, []string{"*"}, "the command line only puts the parts together"},
	{"cmd/respawn/internal/bench", []string{
		"cmd", "pool", "scenarios", "reports", "workers", "chaos/history", "internal/floor", "internal/monotonic",
		"internal/procfs", "internal/units",
	}, []string{"*"}, "it writes the history that the report is measured on"},
	{"cmd/respawn/internal/doctor", []string{
		"internal/cgroup", "internal/columns", "internal/procfs", "internal/reexec", "scenarios/targets",
		"internal/units",
	}, []string{"*"}, "it tries what the pool and the faults use of a host, by the same means"},
	{"internal/wire", nil, []string{sys}, "what crosses between a pool and its workers, for both sides alike"},
	{
		"internal/serve",
		[]string{"internal/codec", "internal/pidfd", "internal/reexec", "internal/stack", "internal/wire"},
		[]string{sys, cborCodec, float16},
		"the worker's side: it knows what was registered, and nothing of the pool",
	},
	{
		"internal/process",
		[]string{"internal/cgroup", "internal/guardian", "internal/pidfd", "internal/reexec", "internal/wire"},
		[]string{sys},
		"a worker as the operating system has it: it knows no task and no slot",
	},
	{
		"internal/inprocess",
		[]string{"internal/process", "internal/serve", "internal/wire"},
		[]string{sys, cborCodec, float16},
		"a worker without a process: both sides of the protocol and nothing of the pool",
	},
	{
		"internal/codec",
		[]string{"internal/reexec", "internal/wire"},
		[]string{sys, cborCodec, float16},
		"values to bytes and back: it knows no pool",
	},
	{"internal/cgroup", []string{"internal/pidfd", "internal/procfs"}, []string{sys}, "used by the pool: see there"},
	{"internal/conformance", []string{"internal/units"}, nil, "how a check is told, and nothing of what is checked"},
	{"internal/columns", nil, nil, "tables for terminals, and nothing of what is in them"},
	{"internal/forks", nil, []string{sys}, "used by the adapters of pools that tell no events"},
	{
		"internal/floor",
		[]string{"internal/reexec"},
		[]string{sys},
		"raw measurements that everything else is compared with: it uses none of it, and is started like it",
	},
	{"internal/monotonic", nil, nil, "a clock, for whatever is timed across processes"},
	{"internal/nearest", nil, nil, "words, and nothing that they stand for"},
	{"internal/procfs", nil, []string{sys}, "used by the chaos engine: see there"},
	{"internal/pidspace", nil, []string{sys}, "where tests run, and none of what they test"},
	{"internal/refuse", nil, []string{sys}, "what tests have the kernel do, and none of what they test"},
	{"internal/takes", nil, nil, "a flag that tests share, and none of what they test"},
	{"internal/breaker", nil, nil, "it decides by what it is told, and does nothing"},
	{"internal/spool", nil, nil, "one queue and its goroutine, whatever is in it"},
	{"internal/stack", nil, nil, "where a goroutine is, for a worker and the engine alike"},
	{
		"internal/units", nil, nil,
		"scalars of files that people write: read by workers' packages too, so that it links next to nothing",
	},
	{"internal/yamlpos", nil, []string{"go.yaml.in/yaml/v4"}, "text, and nothing that is written in it"},
	{"internal/wait", nil, nil, "one function"},
	{"pool/poolprom", []string{"pool"}, []string{"*"}, "what watches a pool is no part of it"},
	{"pool/poolotel", []string{"pool"}, []string{"*"}, "likewise"},
	{"pool/poollog", []string{"pool"}, []string{sys, cborCodec, float16}, "likewise, and it brings nothing along"},
	{
		"scenarios/shrink",
		[]string{
			"scenarios", "reports", "chaos/history", "chaos/ledger", "chaos/check", "internal/ddmin", "internal/units",
		},
		[]string{"*"},
		"it reads a run that failed, and runs smaller ones",
	},
	{"internal/ddmin", nil, nil, "a search, and nothing that is searched: the simulations use it too"},
	{"internal/tidy", nil, nil, "looks at everything and belongs to nothing"},
}

const (
	sys       = "golang.org/x/sys"
	cborCodec = "github.com/fxamacker/cbor/v2"
	float16   = "github.com/x448/float16" // of the codec
)

// notLinked must not be in the command: every worker that is re-executed from it pays for the initialisation of all
// that it links.
var notLinked = []string{
	"testing", "github.com/invopop/jsonschema", "github.com/onsi/ginkgo/v2", "github.com/onsi/gomega",
	"github.com/chromedp/chromedp", "pgregory.net/rapid",
	"github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2/server",
	"go.opentelemetry.io/otel", "github.com/prometheus/client_golang/prometheus",
}

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
}

// within tells whether the path is the directory or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// arrowOf is the rule for the package at that path in the module.
func arrowOf(path string) *arrow {
	var best *arrow
	for i, a := range arrows {
		if within(path, a.from) && (best == nil || len(a.from) > len(best.from)) {
			best = &arrows[i]
		}
	}
	return best
}

// allows tells whether the list has the path or a directory above it.
func allows(list []string, path string) bool {
	return slices.Contains(list, "*") || slices.ContainsFunc(list, func(dir string) bool { return within(path, dir) })
}

func isStandard(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }

// checkArrows finds every import that no arrow allows.
func checkArrows(pkgs []goPackage) (found []string) {
	for _, p := range pkgs {
		path := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		a := arrowOf(path)
		if a == nil {
			found = append(found,
				path+": no arrow leads from here: put it into one of the rooms, or add a row to arrows with its reason")
			continue
		}
		if p.Doc == "" {
			found = append(found, path+": no package comment: say in one sentence what it holds")
		}
		for _, i := range p.Imports {
			if dir, ok := strings.CutPrefix(i, module+"/"); ok && !allows(a.ours, dir) {
				found = append(found, fmt.Sprintf("%s imports %s: of ours it may import %s, because %s",
					path, dir, orNothing(a.ours), a.why))
			}
		}
		for _, d := range p.Deps {
			if !isStandard(d) && !within(d, module) && !allows(a.foreign, d) {
				found = append(found, fmt.Sprintf("%s depends on %s: from elsewhere it may use %s, because %s",
					path, d, orNothing(a.foreign), a.why))
			}
			if within(path, "cmd/respawn") && slices.Contains(notLinked, d) {
				found = append(found, fmt.Sprintf("%s links %s: every worker pays for its start; move what needs it "+
					"to a _test.go file or a package of its own", path, d))
			}
		}
	}
	return found
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
