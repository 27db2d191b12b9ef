package main

import (
	"hash/crc32"
	"testing"

	. "github.com/onsi/gomega"
)

// The harness makes the same payload by itself, and so would any other driver: the numbers are those of docs/drivers.md.
func TestThePayloadOfAnEchoIsTheOneOfTheProtocol(t *testing.T) {
	g := NewWithT(t)
	g.Expect(targetArg{N: 17, Bytes: 4}.payload()).To(Equal([]byte{62, 210, 117, 76}))
	g.Expect(crc32.ChecksumIEEE(targetArg{N: 17, Bytes: 1 << 20}.payload())).To(BeEquivalentTo(275785518))
}
