package proto

// TagHash is the number that stands for a tag in consume queues and subscriptions: Java's
// String.hashCode, which runs over UTF-16 units and wraps at 32 bits. The empty tag is 0.
// Consume queues hold it as 64 bits, sign included.
//
// Different tags may share a number, so a match by hash is only a first filter.
func TagHash(tag string) int32 {
	var hash int32
	for _, r := range tag {
		if r > 0xffff {
			// A character beyond the first plane is two units.
			r -= 0x10000
			hash = 31*hash + 0xd800 + r>>10
			r = 0xdc00 + r&0x3ff
		}
		hash = 31*hash + r
	}
	return hash
}
