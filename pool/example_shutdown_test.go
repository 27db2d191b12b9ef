package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// A program that is asked to end by Ctrl-C or SIGTERM takes no more work, finishes what it has, and leaves no process
// behind. The workers are in process groups of their own: Ctrl-C on a terminal reaches the program alone.
func ExamplePool_Close_shutdown() {
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := pool.New(interrupted, pool.Config{Size: 2, CloseTimeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}

	// The tasks get a context of their own: those that are running are to be finished, not cancelled.
	f := shout.Submit(context.Background(), p, "almost done")
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM) // somebody asks

	<-interrupted.Done()
	if err := p.Close(); errors.Is(err, pool.ErrClosed) {
		log.Print("some tasks did not end in 10 s")
	}
	fmt.Println(f.Result(context.Background()))
	_, err = shout.Call(context.Background(), p, "too late")
	fmt.Println(err)
	// Output:
	// ALMOST DONE! <nil>
	// pool: closed
}
