package proto

import "github.com/gantrymq/gantry/transport/wire"

// Describe shows a command in one line, with the protocol's name of its code:
//
//	SEND_MESSAGE_V2 request 310 opaque 7 from JAVA 5.3.2 fields{b=orders e=3} body 1024 B
//
// Signatures are hidden and long values cut.
func Describe(c *wire.Command) string {
	name := RequestName(c.Code)
	if c.IsResponse() {
		name = ResponseName(c.Code)
	}
	return name + " " + c.String()
}
