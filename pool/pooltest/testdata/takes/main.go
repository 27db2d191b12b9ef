// Takes has handlers that take from main what no worker has.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/pooltest/testdata/takes/deep"
)

var (
	scale    int
	shift    = 1
	verbose  = flag.Bool("verbose", false, "")
	level    int
	settings struct{ Limits map[string]int }
	calls    atomic.Int64 // each worker counts its own
	lazy     *int
	names    []string
)

func init() {
	names = []string{"set", "by", "init"}
	flag.IntVar(&level, "level", 3, "")
}

var square = pool.Register("square", func(_ context.Context, n int) (int, error) {
	calls.Add(1)
	return scale*n*n + helper(n) + deep.Offset, nil // want "scale, which main sets at .*main.go:\\d+:2 and no worker" "Offset, which main sets at"
})

var cube = pool.Register("cube", cubed)

func cubed(_ context.Context, n int) (int, error) {
	if lazy == nil {
		lazy = new(int)
	}
	if *verbose { // want "verbose, a flag, and a worker parses none"
		fmt.Println(len(os.Args), names) // want "os.Args, which in a worker"
	}
	if n > settings.Limits["cube"] { // want "settings, which configure sets"
		return 0, fmt.Errorf("more than the limit, with %s", flag.Arg(0)) // want "flag.Arg, and a worker parses no flags"
	}
	return n*n*n + level, nil // want "level, a flag's by .*main.go:2"
}

func helper(n int) int {
	return n << shift // want "shift, which main sets"
}

func configure(b []byte) error { return json.Unmarshal(b, &settings) }

func main() {
	pool.Main()
	flag.Parse()
	scale, shift = 2, shift+1
	deep.Offset++
	lazy, names = nil, nil
	calls.Store(7)
	if err := configure([]byte(flag.Arg(0))); err != nil {
		panic(err)
	}
	p, err := pool.New(context.Background(), pool.Config{})
	fmt.Println(p, err)
	fmt.Println(square.Call(context.Background(), p, 3))
	fmt.Println(cube.Call(context.Background(), p, 3))
}
