package chaos

import "github.com/respawn-go/respawn/internal/reexec"

// Main turns a copy of this program that a fault has started, a hog of memory say, into what it was started as, and
// then never returns; in any other process it does nothing but remember that it was called. It must be the first
// statement of func main, and of TestMain in tests. It is the same function as that of package pool, and either will
// do. Without it a fault that needs such a process is refused: each would run this program's own main.
func Main() { reexec.Main() }
