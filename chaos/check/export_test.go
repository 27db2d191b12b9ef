package check

// What tests ask of a run that goes on.

// Steady tells whether all steady conditions have held at once since the present side of the faults began: in the stage
// steady, or in settle and verify. shown is how they were then, or else at the last sample.
func (l *Live) Steady() (reached bool, shown []Threshold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	side := sideOf(l.s.Stage)
	if side < 0 {
		return false, nil
	}
	w := &l.s.watch
	return w.reached[side] || len(w.steady) == 0, w.shown[side]
}

// Recovering counts the confirmed deaths whose slot is not of use again yet.
func (l *Live) Recovering() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, deaths := range l.s.Slots.Pending {
		n += len(deaths)
	}
	return n
}

// Value is a metric now. Without samples there is no data.
func (l *Live) Value(metric string) (value float64, samples int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.s.read(metric, true)
	return r.Value, r.Samples
}

// Snapshot is every live metric that has data now.
func (l *Live) Snapshot() map[string]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.metrics(true)
}
