package pool

import "flag"

var throughRemote = flag.Bool("remote", false, "submit the tests' tasks through NewRemote over their pool: the conformance suite of the seam")

// via is what the tests submit to: p itself, or with -remote a Remote that has p as its Transport.
func via(p *Pool) Runner {
	if *throughRemote {
		return NewRemote(p)
	}
	return p
}

// ThroughRemote tells whether tasks are numbered by a Remote, so that the pool's exits and events have other numbers.
func ThroughRemote() bool { return *throughRemote }

// Via is via for tests outside the package.
func Via(p *Pool) Runner { return via(p) }
