package workers_test

import (
	"fmt"
	"os"

	"github.com/respawn-go/respawn/workers"
)

// The SDK for Python is one file, which is written beside the worker that imports it.
func ExampleWritePython() {
	dir, err := os.MkdirTemp("", "worker-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fmt.Println(workers.WritePython(dir))
	entries, err := os.ReadDir(dir)
	fmt.Println(entries[0].Name(), err)
	// Output:
	// <nil>
	// respawn.py <nil>
}
