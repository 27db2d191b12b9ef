package pool_test

import (
	"context"
	"fmt"

	"github.com/respawn-go/respawn/pool"
)

// Extract is a handler in worker.py, which Python programs end with respawn.serve() to be: see
// workers/python/respawn.py.
var Extract = pool.External[[]byte, []string]("extract")

func ExampleExternal() {
	p, err := pool.New(context.Background(),
		pool.Config{Command: []string{"venv/bin/python3", "worker.py"}, Dir: "/srv/parser"})
	if err != nil {
		fmt.Println(err) // a module that is missing is told here, with Python's traceback
		return
	}
	defer p.Close()

	words, err := Extract.Call(context.Background(), p, []byte("%PDF-1.7 …"))
	fmt.Println(words, err)
}
