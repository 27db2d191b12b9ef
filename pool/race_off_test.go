//go:build !race

package pool_test

const raceEnabled = false

func watchRaces(run func() int) int { return run() }
