package witness_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/witness"
)

// TestMain: with a path in the environment this is a child that appends to it.
func TestMain(m *testing.M) {
	if path := os.Getenv("WITNESS_TEST_FILE"); path != "" {
		f, err := witness.Open(path)
		if err != nil {
			panic(err)
		}
		append500(f)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func append500(f *witness.File) {
	for task := range uint64(500) {
		end, err := f.Start(task, 1)
		if err == nil {
			err = end()
		}
		if err != nil {
			panic(err)
		}
	}
}

func TestProcessesNeverWriteIntoEachOthersLines(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "witness")
	base := witness.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), "WITNESS_TEST_FILE="+path)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	runs, torn, err := witness.ReadFile(path, base)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(torn).To(BeZero())
	g.Expect(runs).To(HaveLen(2000))
	pids := map[int]int{}
	last := time.Duration(0)
	for _, r := range runs {
		pids[r.PID]++
		g.Expect(r.Start).To(BeNumerically(">=", last))
		g.Expect(r.End).To(BeNumerically(">=", r.Start))
		last = r.Start
	}
	g.Expect(pids).To(HaveLen(4))
}

func TestTornLinesCostOnlyThemselves(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		runs []history.Run
		torn int
	}{
		"nothing": {"", nil, 0},
		"no end":  {"\nS 7 1 411 105\n", []history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}}, 0},
		"start and end": {
			"\nS 7 1 411 105\n\nE 7 1 411 105 109\n",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5, End: 9}},
			0,
		},
		"torn last": {
			"\nS 7 1 411 105\n\nE 7 1 41",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}},
			1,
		},
		"cut newline": {
			"\nS 7 1 411 105\n\nE 7 1 411 105 109",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}},
			1,
		},
		"torn in between": {"\nS 7 1 4\nS 8 1 412 106\n", []history.Run{{Task: 8, Attempt: 1, PID: 412, Start: 6}}, 1},
		"torn start": {
			"\nS 7\nE 7 1 411 105 109\n",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5, End: 9}},
			1,
		},
		"twice": {
			"\nS 7 1 411 105\n\nS 7 1 411 106\n",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}, {Task: 7, Attempt: 1, PID: 411, Start: 6}},
			0,
		},
		"out of order": {
			"\nS 8 1 412 106\n\nS 7 1 411 105\n",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}, {Task: 8, Attempt: 1, PID: 412, Start: 6}},
			0,
		},
		"rubbish": {"hello\n\x00\nS a b c d\n", nil, 3},
		"a megabyte of it": {
			strings.Repeat("x", 1<<20) + "\nS 7 1 411 105\n",
			[]history.Run{{Task: 7, Attempt: 1, PID: 411, Start: 5}},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			runs, torn, err := witness.Read(strings.NewReader(c.text), 100)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(runs).To(Equal(c.runs))
			g.Expect(torn).To(Equal(c.torn))
		})
	}
}

func TestNoFileIsNoWitness(t *testing.T) {
	g := NewWithT(t)
	_, _, err := witness.ReadFile(filepath.Join(t.TempDir(), "none"), 0)
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

func FuzzRead(f *testing.F) {
	f.Add("\nS 7 1 411 105\n\nE 7 1 411 105 109\n")
	f.Fuzz(func(t *testing.T, text string) {
		runs, torn, err := witness.Read(strings.NewReader(text), 0)
		if err != nil || len(runs)+torn > strings.Count(text, "\n")+1 {
			t.Fatalf("%d runs, %d torn, %v", len(runs), torn, err)
		}
	})
}
