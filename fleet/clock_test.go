package fleet

import (
	"reflect"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// TestNoInstantTravels: clocks that are hours apart change nothing, since nobody compares one with another's. What a
// worker's death was, and when, is for people.
func TestNoInstantTravels(t *testing.T) {
	g := NewWithT(t)
	var walk func(path string, of reflect.Type)
	seen := map[reflect.Type]bool{reflect.TypeFor[pool.Exit](): true}
	walk = func(path string, of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(path, of.Elem())
		case reflect.Struct:
			g.Expect(of).NotTo(Equal(reflect.TypeFor[time.Time]()), path)
			if seen[of] {
				return
			}
			seen[of] = true
			for i := range of.NumField() {
				if f := of.Field(i); f.Tag.Get("cbor") != "-" {
					walk(path+"."+f.Name, f.Type)
				}
			}
		}
	}
	for _, message := range []any{envelope{}, report{}, order{}} {
		walk(reflect.TypeOf(message).Name(), reflect.TypeOf(message))
	}
}
