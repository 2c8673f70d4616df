package sim

import "github.com/gantrymq/gantry/node/env"

// Stream is a seeded source of random values for one purpose. A stream derived
// by name depends on the seed and the name only, so a draw more or fewer in
// one stream does not shift another: that is what makes shrinking work.
type Stream struct {
	root  uint64 // what derived streams start from
	state uint64
}

// NewStream returns the root stream of a seed.
func NewStream(seed uint64) *Stream {
	root := mix(seed + 0x9e3779b97f4a7c15)
	return &Stream{root: root, state: root}
}

// Uint64 returns the next value (the splitmix64 sequence).
func (s *Stream) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	return mix(s.state)
}

// Derive returns the stream of a name.
func (s *Stream) Derive(name string) *Stream {
	h := s.root
	for i := 0; i < len(name); i++ {
		h = mix(h ^ uint64(name[i])<<8 ^ 0xff)
	}
	h = mix(h ^ uint64(len(name)))
	return &Stream{root: h, state: h}
}

// Stream is Derive under the name that env.Rand asks for.
func (s *Stream) Stream(name string) env.Rand { return s.Derive(name) }

// IntN returns a value in [0, n).
func (s *Stream) IntN(n int) int { return env.IntN(s, n) }

// Between returns a value in [low, high].
func (s *Stream) Between(low, high int64) int64 {
	if high <= low {
		return low
	}
	return low + int64(s.Uint64()%uint64(high-low+1))
}

// Chance is true with the given probability.
func (s *Stream) Chance(probability float64) bool {
	return probability > 0 && env.Chance(s, probability)
}

// mix is the finaliser of splitmix64: every input bit reaches every output bit.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
