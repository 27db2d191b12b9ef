package cgroup

// Procs lists the processes in the group.
func (g *Group) Procs() ([]int, error) {
	for _, at := range g.places() {
		return procs(at.dir)
	}
	return nil, nil
}

// Write writes a value to a file as it is written to those of a group.
var Write = write
