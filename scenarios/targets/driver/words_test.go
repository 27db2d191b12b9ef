package driver

import (
	"testing"

	"github.com/onsi/gomega"
)

func TestTheLastWordsAreTheLastThatSayWhy(t *testing.T) {
	for said, want := range map[string]string{
		"":             "",
		"one\ntwo\n\n": "two",
		"Traceback:\n  File x\nbilliard.exceptions.WorkerLostError: signal " +
			"9\nbye\n": "billiard.exceptions.WorkerLostError: signal 9",
		"Uncaught TypeError: no\r\n    at x.js\r\n\r\nNode.js v20.20.2\r\n": "Uncaught TypeError: no",
		"panic: boom\n\ngoroutine 1 [running]:\n":                           "panic: boom",
		"Errors: 3\nan Error in the middle\n":                               "an Error in the middle",
	} {
		gomega.NewWithT(t).Expect(lastWords(said)).To(gomega.Equal(want))
	}
}
