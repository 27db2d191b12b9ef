package pool

// Deaf tells whether one of its processes was killed because it did not read what it was told.
func (g *Guardian) Deaf() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deaf
}
