package client

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/message"
)

// identity names this client and the messages it sends.
type identity struct {
	clock   env.Clock
	random  env.Rand
	config  *config
	address netip.Addr // not valid until configured or learnt
	id      string     // "" until it was asked for

	process uint16
	loader  uint32 // drawn anew each month, so that times of two months cannot meet
	counter uint16
	// Unique ids count time from the start of the client, because the calendar may step back.
	startWall  env.WallMillis
	startAt    env.Instant
	month      int64          // wall milliseconds at which the month of the last id began
	monthEnd   env.WallMillis // and at which it ends
	last       env.WallMillis // of the last id; never less than before
	usedInLast int            // ids of that millisecond; <= 65536
}

func newIdentity(e env.Env, c *config) *identity {
	i := &identity{
		clock: e.Clock, random: e.Rand, config: c, address: c.address, process: uint16(c.process),
		startWall: e.Clock.Wall(), startAt: e.Clock.Now(),
	}
	if c.process == 0 {
		i.process = uint16(e.Rand.Uint64())
	}
	i.counter = uint16(e.Rand.Uint64())
	return i
}

// learn takes the local address of a connection, unless an address is known.
func (i *identity) learn(local netip.Addr) {
	if !i.address.IsValid() {
		i.address = local
	}
}

// clientID is "<address>@<instance>[@<unit>][@STREAM]". It stays the same from the first time on.
func (i *identity) clientID() string {
	if i.id != "" {
		return i.id
	}
	instance := i.config.instance
	if instance == "" {
		instance = strconv.Itoa(int(i.process)) + "#" + strconv.FormatUint(i.random.Uint64()>>1, 10)
	}
	i.id = i.hostAddress().String() + "@" + instance
	if i.config.unit != "" {
		i.id += "@" + i.config.unit
	}
	if i.config.stream {
		i.id += "@STREAM"
	}
	return i.id
}

// hostAddress is a made-up one if nothing is known.
func (i *identity) hostAddress() netip.Addr {
	if i.address.IsValid() {
		return i.address.WithZone("")
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// uniqueID returns the identifier of the next message.
func (i *identity) uniqueID() string {
	now := i.startWall + env.WallMillis(i.clock.Now().Sub(i.startAt).Milliseconds())
	if now > i.last {
		i.last, i.usedInLast = now, 0
	}
	// The counter must not come round within one millisecond: take the next one early.
	if i.usedInLast == 1<<16 {
		i.last, i.usedInLast = i.last+1, 0
	}
	i.usedInLast++
	if i.last >= i.monthEnd {
		i.beginMonth()
	}
	i.counter++
	id := message.NewUniqueID(i.hostAddress(), i.process, i.loader, int64(i.last), i.month, i.counter)
	var text [64]byte
	return string(id.Append(text[:0]))
}

func (i *identity) beginMonth() {
	i.loader = uint32(i.random.Uint64())
	i.month = message.MonthStart(int64(i.last), time.UTC)
	// The start of a month and 32 days lie in the next one.
	i.monthEnd = env.WallMillis(message.MonthStart(i.month+32*24*time.Hour.Milliseconds(), time.UTC))
}
