package broker

import (
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// appendUniqueID makes the UNIQ_KEY of a message whose sender gave none. What a client has in its place for the process is drawn
// at the start of the broker.
func (b *Broker) appendUniqueID(dst []byte) []byte {
	wall := int64(b.env.Clock.Wall())
	b.uniqueCount++
	if b.uniqueCount == 0 || b.uniqueLoader == 0 {
		// The counter came round: another loader keeps identifiers apart within one millisecond.
		b.uniqueLoader = uint32(b.env.Rand.Uint64()) | 1
	}
	id := message.NewUniqueID(b.options.AdvertisedIP, b.address.Port(), b.uniqueLoader, wall, message.MonthStart(wall, time.UTC), b.uniqueCount)
	return id.Append(dst)
}
