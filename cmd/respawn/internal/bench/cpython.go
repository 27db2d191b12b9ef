package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// cpythonTasks is enough for CPython's pool to get into its stride, in a second or less.
const cpythonTasks = 20_000

// cpythonScript does with multiprocessing.Pool what flood does with ours.
const cpythonScript = `
import multiprocessing, time
def square(n): return n * n
if __name__ == "__main__":
    with multiprocessing.Pool(%d) as pool:
        [r.get() for r in [pool.apply_async(square, (i,)) for i in range(1000)]]
        began = time.perf_counter()
        results = [pool.apply_async(square, (i,)) for i in range(%d)]
        assert [r.get() for r in results] == [i * i for i in range(%d)]
        print(%d / (time.perf_counter() - began))
`

// cpythonRate is how many tasks a second CPython's pool does here.
func cpythonRate(ctx context.Context) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	script := fmt.Sprintf(cpythonScript, workers, cpythonTasks, cpythonTasks, cpythonTasks)
	cmd := exec.CommandContext(ctx, "python3", "-c", script)
	confine(cmd)
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}
