package pool_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/respawn-go/respawn/pool"
)

// Tasks are registered in package-level variables, so that parent and workers know the same ones. In main (here: in
// TestMain) pool.Main() comes first.
var shout = pool.Register("example-shout", func(_ context.Context, s string) (string, error) {
	return strings.ToUpper(s) + "!", nil
})

// Call runs a task in some worker and waits for it; Submit returns a future at once.
func Example() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	v, err := shout.Call(ctx, p, "hello")
	fmt.Println(v, err)

	f := shout.Submit(ctx, p, "later")
	// … do something else …
	v, err = f.Result(ctx)
	fmt.Println(v, err)
	// Output:
	// HELLO! <nil>
	// LATER! <nil>
}
