// Package monotonic has the one clock that all processes of a host share.
package monotonic
