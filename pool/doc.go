// Package pool runs Go functions in a pool of real OS processes that are restarted when they die, and loses no task
// when they do.
//
// A task is a registered function. The program re-executes itself to make workers, so registration happens in
// package-level variables and [Main] is the first call of func main (and of TestMain):
//
//	var Square = pool.Register("square", func(ctx context.Context, n int) (int, error) { return n * n, nil })
//
//	func main() {
//		pool.Main() // in a worker: serves tasks and never returns; elsewhere: does nothing
//		p, err := pool.New(ctx, pool.Config{Size: 4})
//		...
//		defer p.Close()
//		v, err := Square.Call(ctx, p, 7)
//	}
//
// What the pool promises, and what it does not, is told in the project's README and docs/architecture.md. In short:
// every submitted task settles exactly once; delivery is at least once by default (a handler may run again after its
// worker died) and at most once on request; only the task that was running when a worker died is blamed for it; one
// death never touches another worker.
//
// Linux is the platform it is proved on. It compiles on darwin, where [New] answers [ErrUnsupported].
package pool
