package envtest

import (
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/assert"
)

// TestRand holds a world to env.Rand.
func TestRand(t *testing.T, w World) {
	check(t, w, []clause{
		{"Values use all 64 bits and do not repeat", valuesAreSpread},
		{"The same name gives the same stream, whatever was drawn elsewhere", sameNameSameStream},
		{"Streams of different names are independent", namesDiffer},
		{"A stream of a stream is independent of both", streamsNest},
		{"Taking and drawing a stream does not shift its source", streamsDoNotShift},
	})
}

// draw takes the next values of a source.
func draw(r env.Rand, count int) []uint64 {
	values := make([]uint64, count)
	for i := range values {
		values[i] = r.Uint64()
	}
	return values
}

func valuesAreSpread(t T, e env.Env) {
	set, clear := uint64(0), ^uint64(0)
	seen := map[uint64]bool{}
	for _, value := range draw(e.Rand, 256) {
		set |= value
		clear &= value
		seen[value] = true
	}
	assert.Equal(t, ^uint64(0), set, "each bit is one at some time")
	assert.Zero(t, clear, "each bit is zero at some time")
	assert.Len(t, seen, 256, "values repeat")
}

// Drawing from the root and from another stream in between must not matter.
func sameNameSameStream(t T, e env.Env) {
	first := draw(e.Rand.Stream("purpose"), 8)
	draw(e.Rand, 3)
	draw(e.Rand.Stream("other purpose"), 5)
	assert.Equal(t, first, draw(e.Rand.Stream("purpose"), 8))
}

func namesDiffer(t T, e env.Env) {
	names := []string{"", "a", "b", "ab", "ba", "a/b"}
	seen := map[uint64]string{}
	for _, name := range names {
		value := e.Rand.Stream(name).Uint64()
		other, taken := seen[value]
		assert.False(t, taken, "streams %q and %q begin with the same value", name, other)
		seen[value] = name
	}
}

// Two connections may both take a stream "jitter" of their own stream, and must
// not jitter alike.
func streamsNest(t T, e env.Env) {
	parent := draw(e.Rand.Stream("one"), 4)
	child := draw(e.Rand.Stream("one").Stream("jitter"), 4)
	assert.NotEqual(t, parent, child)
	assert.NotEqual(t, draw(e.Rand.Stream("jitter"), 4), child)
	assert.NotEqual(t, draw(e.Rand.Stream("two").Stream("jitter"), 4), child)
	assert.Equal(t, draw(e.Rand.Stream("one").Stream("jitter"), 4), child)
}

func streamsDoNotShift(t T, e env.Env) {
	plain := draw(e.Rand.Stream("purpose"), 8)
	disturbed := e.Rand.Stream("purpose")
	values := draw(disturbed, 4)
	draw(disturbed.Stream("part"), 4)
	assert.Equal(t, plain, append(values, draw(disturbed, 4)...))
}
