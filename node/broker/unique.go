package broker

import (
	"time"

	"github.com/gantrymq/gantry/transport/message"
)

// appendUniqueID makes the UNIQ_KEY of a message whose sender gave none. Where clients put the number of their process it has the
// broker's port, and where Java puts its class loader a number that is drawn.
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
