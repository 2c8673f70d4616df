package client

import (
	"fmt"

	"github.com/gantrymq/gantry/transport/message"
)

// packer compresses outside the node, one body at a time.
type packer struct{ message.Compressor }

// packersMax is how many idle packers are kept; each holds some hundred KiB.
const packersMax = 4

// compress replaces the body of a send by its compressed form, if it is long enough and
// gets shorter.
func (p *Producer) compress(s *sending, body []byte) error {
	if p.config.compressFrom == 0 || len(body) < p.config.compressFrom {
		return nil
	}
	c := &packer{}
	if n := len(p.packers); n > 0 {
		c, p.packers = p.packers[n-1], p.packers[:n-1]
	}
	var packed []byte
	var err error
	p.core.env.Tasks.Offload(func() {
		packed, err = c.Append(s.body[:0], body, p.config.compression, p.config.compressionLevel)
	})
	if len(p.packers) < packersMax {
		p.packers = append(p.packers, c)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	s.body = packed[:0]
	if len(packed) < len(body) {
		s.request.Body = packed
		s.header.SysFlags = int32(message.SysFlags(s.header.SysFlags).WithCompression(p.config.compression))
	}
	return nil
}
