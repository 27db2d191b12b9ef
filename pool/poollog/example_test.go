package poollog_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/poollog"
)

var resize = pool.Register("example-resize", func(ctx context.Context, width int) (int, error) {
	slog.InfoContext(ctx, "resized", "width", width)
	fmt.Fprintln(os.Stderr, "a library prints")
	return width / 2, nil
})

// What workers log by slog comes to the host's handler with the worker, the task and the attempt, and so do lines that
// they print.
func Example() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "pid" {
			return slog.Attr{}
		}
		return a
	}
	host := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})

	ctx := context.Background()
	p, err := pool.New(ctx,
		pool.Config{Size: 1, Initializer: poollog.Initializer(slog.LevelInfo), Stderr: poollog.Lines(host)})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := resize.Call(ctx, p, 640); err != nil {
		log.Fatal(err)
	}
	p.Close()
	// Output:
	// level=INFO msg=resized worker=Worker-1 task=1 attempt=1 width=640
	// level=INFO msg="a library prints" worker=Worker-1
}
