package scenario

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantrymq/gantry/node/env"
)

// rawClient speaks the protocol by hand (rawLine does it with many requests at once): one request after the other, with a header in JSON. It owes nothing to the code that is tested.
type rawClient struct {
	env    env.Env
	conns  map[string]env.Conn // by address
	opaque int
}

// rawHeader is the header of a frame.
type rawHeader struct {
	Code     int               `json:"code"`
	Language string            `json:"language"`
	Version  int               `json:"version"`
	Opaque   int               `json:"opaque"`
	Flag     int               `json:"flag"` // 1: a response, 2: no answer is wanted
	Fields   map[string]string `json:"extFields"`
	Remark   string            `json:"remark,omitempty"`
}

// rawAnswer is a response with any code.
type rawAnswer struct {
	rawHeader
	body []byte
}

// String tells code and remark.
func (a *rawAnswer) String() string {
	return fmt.Sprintf("code %d (%s) with %v and a body of %d bytes", a.Code, a.Remark, a.Fields, len(a.body))
}

// rawPatience is how long an answer may take.
const rawPatience = time.Second

func newRawClient(e env.Env) *rawClient { return &rawClient{env: e, conns: map[string]env.Conn{}} }

// call returns nil if no answer comes. Then the connection is given up.
func (c *rawClient) call(address string, code int32, fields map[string]string, body []byte) *rawAnswer {
	conn, deadline := c.connect(address)
	if conn == nil {
		return nil
	}
	conn.SetReadDeadline(deadline)
	answer, err := c.exchange(conn, rawHeader{Code: int(code), Language: "GO", Version: 500, Opaque: c.opaque, Fields: fields}, body)
	if err != nil {
		delete(c.conns, address)
		conn.Close()
		return nil
	}
	return answer
}

// close ends the connections.
func (c *rawClient) close() {
	for _, address := range slices.Sorted(maps.Keys(c.conns)) {
		c.conns[address].Close()
	}
	clear(c.conns)
}

// tell sends a request that wants no answer.
func (c *rawClient) tell(address string, code int32, fields map[string]string, body []byte) {
	conn, _ := c.connect(address)
	if conn == nil {
		return
	}
	if conn.Write(rawHeader{Code: int(code), Language: "GO", Version: 500, Opaque: c.opaque, Flag: 2, Fields: fields}.frame(body)) != nil {
		delete(c.conns, address)
		conn.Close()
	}
}

// connect returns the connection to an address, made if there is none, or nil; and until when all must be done.
func (c *rawClient) connect(address string) (env.Conn, env.Instant) {
	deadline := c.env.Clock.Now().Add(rawPatience)
	conn := c.conns[address]
	if conn == nil {
		dialled, err := c.env.Network.Dial(address, deadline)
		if err != nil {
			return nil, deadline
		}
		conn = dialled
		c.conns[address] = conn
	}
	c.opaque++
	conn.SetWriteDeadline(deadline)
	return conn, deadline
}

func (c *rawClient) exchange(conn env.Conn, header rawHeader, body []byte) (*rawAnswer, error) {
	if err := conn.Write(header.frame(body)); err != nil {
		return nil, err
	}
	for {
		answer, err := readRaw(conn)
		if err != nil || answer.Flag&1 != 0 && answer.Opaque == header.Opaque {
			return answer, err
		}
		// The broker asks something itself, such as to share out queues.
	}
}

// frame is the request as it goes over the wire.
func (h rawHeader) frame(body []byte) []byte {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // there are only numbers and texts
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(text)+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(text)))
	return append(append(frame, text...), body...)
}

// readRaw reads one frame.
func readRaw(conn env.Conn) (*rawAnswer, error) {
	size, err := readWhole(conn, 4)
	if err != nil {
		return nil, err
	}
	frame, err := readWhole(conn, int(binary.BigEndian.Uint32(size)))
	if err != nil {
		return nil, err
	}
	// The highest byte says how the header is written: 0 is JSON.
	header := int(binary.BigEndian.Uint32(frame))
	if header > len(frame)-4 {
		return nil, fmt.Errorf("a header of %d bytes in a frame of %d", header, len(frame))
	}
	answer := &rawAnswer{body: frame[4+header:]}
	return answer, json.Unmarshal(frame[4:4+header], &answer.rawHeader)
}

func readWhole(conn env.Conn, size int) ([]byte, error) {
	whole := make([]byte, size)
	for n := 0; n < size; {
		more, err := conn.Read(whole[n:], nil)
		if err != nil {
			return nil, err
		}
		n += more
	}
	return whole, nil
}
