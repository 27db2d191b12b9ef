//go:build linux

package main

import "testing"

func TestTheOwnersAnswerIsHeardAtTheFirstAsking(t *testing.T) {
	p := newPool(func(message) {})
	go p.loop()
	defer close(p.events)
	p.workers = []*worker{{}}
	for range 1000 {
		if !p.up() {
			t.Fatal("every slot has a worker: want up")
		}
	}
}
