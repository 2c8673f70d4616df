package broker

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// ErrFastListen: the main port could be opened and the fast port could not. It is wrapped with the address and the cause.
var ErrFastListen = errors.New("the fast port (the main port less 2) cannot be opened")

// listen opens the ports. If only one of them is to be had, neither is served.
func (b *Broker) listen() error {
	listener, err := b.server.Listen(b.options.Listen)
	if err != nil {
		return err
	}
	b.address = netip.AddrPortFrom(b.options.AdvertisedIP, listener.Addr().Port())
	if b.options.FastListen == "" {
		return nil
	}
	fast, err := b.server.Listen(b.options.FastListen)
	if err != nil {
		b.server.Close()
		return fmt.Errorf("%w: %w", ErrFastListen, err)
	}
	b.fastPort = fast.Addr().Port()
	b.env.Log.Info("the fast port is open, too", zap.Stringer("address", fast.Addr()))
	return nil
}

// serveEither serves the requests of both ports. The fast port ("VIP channel") takes all but pulls and pops, so that consumers
// that wait for messages do not share connections with producers.
func (b *Broker) serveEither(in *transport.Incoming) {
	code := in.Command.Code
	if takesMessages(code) && b.fastPort != 0 && in.Conn.Local().Port() == b.fastPort {
		in.Reply().Error(proto.RespRequestCodeNotSupported, fmt.Sprintf(
			"request code %d (%s) is not served at the fast port %d: send it to port %d", code, proto.RequestName(code), b.fastPort, b.address.Port()))
		return
	}
	if b.guard.Admit(in) && !b.offMaster(in) && !b.notReady(in) && !b.unproven(in) {
		b.serve(in)
	}
}

// takesMessages reports whether a request may be held until there is a message.
func takesMessages(code int32) bool {
	switch code {
	case proto.ReqPullMessage, proto.ReqLitePullMessage, proto.ReqPeekMessage, proto.ReqPopMessage, proto.ReqNotification, proto.ReqPollingInfo:
		return true
	}
	return false
}
