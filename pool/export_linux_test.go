package pool

import "os"

// Deaf tells whether one of its processes was killed because it did not read what it was told.
func (g *Guardian) Deaf() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deaf
}

// ForgetExits makes this process know nothing of exits that somebody else has reaped, as before Linux 6.15.
func ForgetExits() {
	exitOfReaped = func(*os.File) waitStatus { return waitStatus{code: unknownCode} }
}
