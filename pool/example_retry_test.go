package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/pool"
)

// payment has an effect outside, so it must not happen twice although the task may run twice: it is recorded under the
// task's idempotency key, which is the same on every attempt. (A database would do that with a unique column.)
var payment = pool.Register("example-payment", func(ctx context.Context, ledger string) (string, error) {
	entry, err := os.OpenFile(filepath.Join(ledger, pool.Key(ctx)), os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Sprintf("attempt %d found it paid already", pool.Attempt(ctx)), nil
	}
	if err != nil {
		return "", err
	}
	defer entry.Close()
	os.Exit(1) // the worker dies after the effect and before its answer
	return "", nil
})

// By default a task whose worker died is run again, until its budget for that kind of death is spent.
func ExampleKey() {
	ctx := context.Background()
	ledger, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(ledger)
	p, err := pool.New(ctx, pool.Config{
		Size:    2,
		Budgets: pool.Budgets{Crashes: 3, OOM: 2, Killed: 16, Nodes: 5}, // Nodes are a fleet's
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	f := payment.Submit(ctx, p, ledger, pool.WithKey("invoice-17"))
	v, err := f.Result(ctx)
	fmt.Println(v, err)
	fmt.Println("deaths on the way:", len(f.Outcome().Exits))

	entries, _ := os.ReadDir(ledger)
	fmt.Println("payments:", len(entries))
	// Output:
	// attempt 2 found it paid already <nil>
	// deaths on the way: 1
	// payments: 1
}
