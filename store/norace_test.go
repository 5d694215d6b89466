//go:build !race

package store_test

// slowed says that the race detector is in, under which times mean nothing.
const slowed = false
