package pool

// Forced tells whether one of its processes was killed because it did not do as it was told.
func (g *Guardian) Forced() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.forced
}
