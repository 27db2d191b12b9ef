package cgroup

// Procs lists the processes in the group.
func (g *Group) Procs() ([]int, error) {
	for _, at := range g.places() {
		return procs(at.dir)
	}
	return nil, nil
}
