package env

// Rand is a source of random 64-bit values. In the simulator it is seeded; in
// production it is seeded from the operating system at start, and a generator that is strong in the
// sense of cryptography: keys may be drawn from a Stream of their own.
type Rand interface {
	// Uint64 returns the next value.
	Uint64() uint64
	// Stream returns an independent source for one purpose. The same name gives
	// the same stream for one seed, whatever was drawn elsewhere, so one more draw in one
	// place does not shift the others.
	Stream(name string) Rand
}

// IntN returns a value in [0, n). It panics if n <= 0. The bias is below n/2^64.
func IntN(r Rand, n int) int {
	if n <= 0 {
		panic("env: IntN needs a positive bound")
	}
	return int(r.Uint64() % uint64(n))
}

// Chance is true with the given probability.
func Chance(r Rand, probability float64) bool {
	return float64(r.Uint64()>>11)/(1<<53) < probability
}

// Shuffle permutes n elements through swap.
func Shuffle(r Rand, n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, IntN(r, i+1))
	}
}
