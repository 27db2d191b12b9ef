package witness_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/chaos/witness"
)

// A task testifies that it begins and that it ends, in a file that the harness reads. What a worker's death cuts short
// has no end.
func Example() {
	dir, err := os.MkdirTemp("", "witness-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, base := filepath.Join(dir, "witness"), witness.Now()
	file, err := witness.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	end, err := file.Start(7, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = end() // what the task does is before this
	_, _ = file.Start(8, 1)

	runs, torn, err := witness.ReadFile(path, base)
	for _, r := range runs {
		fmt.Printf("task %d, attempt %d, ended: %v\n", r.Task, r.Attempt, r.End > 0)
	}
	fmt.Println(torn, err)
	// Unordered output:
	// task 7, attempt 1, ended: true
	// task 8, attempt 1, ended: false
	// 0 <nil>
}
