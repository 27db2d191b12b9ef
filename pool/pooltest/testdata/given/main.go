// Given has handlers that are given what they need.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"

	"github.com/respawn-go/respawn/pool"
)

var (
	scale    int
	base     = 10
	early    string
	once     sync.Once
	table    []int
	reported int // of main alone
	size     = flag.Int("size", 2, "of the pool")
)

func init() { base++ }

var setScale = pool.RegisterInit("set-scale", func(_ context.Context, s int) error { return set(s) })

func set(s int) error {
	scale = s
	return nil
}

type in struct{ N, Limit int }

var square = pool.Register("square", func(_ context.Context, i in) (int, error) {
	once.Do(func() { table = make([]int, 100) })
	if i.N > i.Limit {
		return 0, fmt.Errorf("%d is over %d: %s %s", i.N, i.Limit, early, os.Getenv("REASON"))
	}
	scale := scale // a local one has the name
	scale++
	return scale*i.N*i.N + base + len(table), nil
})

func main() {
	early = os.Getenv("EARLY") // in workers too, though nothing should stand here
	pool.Main()
	flag.Parse()
	table = nil
	reported++
	p, err := pool.New(context.Background(), pool.Config{Size: *size, Initializer: setScale.With(3), Env: []string{"REASON=" + flag.Arg(0)}})
	if err != nil {
		panic(err)
	}
	defer p.Close()
	fmt.Println(square.Call(context.Background(), p, in{3, 100}))
	fmt.Println(reported)
}
