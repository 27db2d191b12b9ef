// Package role lets a program that was started again as something else become that, at the one place where it says that it may:
// pool.Main. A pool's workers have their own way there; this one is for whole processes, such as the nodes of a fleet under test.
package role

import "os"

var mains = map[string]func(arg string){}

// Register has Play call main with the value of the environment variable env where that is set. It is for init functions.
func Register(env string, main func(arg string)) { mains[env] = main }

// Play is what the program was started as, and then does not return; in any other process it does nothing.
func Play() {
	for env, main := range mains {
		if arg := os.Getenv(env); arg != "" {
			os.Unsetenv(env) // what it starts is something else again
			main(arg)
			os.Exit(0)
		}
	}
}
