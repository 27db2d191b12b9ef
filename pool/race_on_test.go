//go:build race

package pool_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

const raceEnabled = true

// watchRaces has the workers write what the race detector finds in them to files, and fails the run if there is any: a
// worker's stderr and exit code go unnoticed. It also spares each worker the second that a program with the race
// detector sleeps before it exits.
func watchRaces(run func() int) int {
	if os.Getenv("GORACE") != "" {
		return run() // somebody wants it otherwise, or this is a program that a test started
	}
	dir, err := os.MkdirTemp("", "races")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("GORACE", "atexit_sleep_ms=0 log_path="+filepath.Join(dir, "race"))
	code := run()
	reports, _ := filepath.Glob(filepath.Join(dir, "race.*"))
	for _, name := range reports {
		report, _ := os.ReadFile(name)
		if len(report) > 0 && !bytes.Contains(report, []byte("pool_test.perish")) { // which races on purpose
			fmt.Printf("%s\n--- FAIL: a data race in a worker\n", report)
			code = max(code, 1)
		}
	}
	return code
}
