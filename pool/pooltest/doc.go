// Package pooltest helps to test code that uses a pool: it kills workers, says in gomega's words what must be true
// after that, and records what happened.
//
//	before := p.Workers()
//	victim, err := pooltest.Kill(p, 2)
//	Expect(err).NotTo(HaveOccurred())
//	Expect(p).To(pooltest.RecoverWithin(5 * time.Second)) // the size is back, and every slot answers a probe
//	Expect(p).To(pooltest.HaveTurnedOver(before, 1))      // one new worker, and the others are the same
//	Eventually(p).Should(pooltest.HaveSettledAll())       // nothing is queued or in flight
//
// Vet finds handlers that read what main has set, which no worker has.
//
// InProcess is for tests that need a pool and no processes: its workers are goroutines, and everything above works on
// it.
//
// Importing it registers a task by which slots are probed, so import it from test files only.
package pooltest
