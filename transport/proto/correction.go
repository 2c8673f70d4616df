package proto

import "fmt"

// CorrectionOffsets is the smallest offsets of the groups of a topic (class
// QueryCorrectionOffsetBody): the body of the answer to ReqQueryCorrectionOffset.
type CorrectionOffsets struct {
	Queues []NumberedOffset // correctionOffsets; by queue id when read; math.MaxInt64: see QueryCorrectionOffset.Group
}

// String shows the number of queues.
func (c *CorrectionOffsets) String() string {
	return fmt.Sprintf("offsets of %d queues", len(c.Queues))
}

// Marshal writes the body.
func (c *CorrectionOffsets) Marshal() []byte {
	var w writer
	w.open('{')
	w.key("correctionOffsets")
	w.numberedOffsets(c.Queues)
	w.close('}')
	return w.text
}

// UnmarshalCorrectionOffsets reads the body. The error is ErrBody.
func UnmarshalCorrectionOffsets(body []byte) (*CorrectionOffsets, error) {
	var in struct {
		CorrectionOffsets numberedOffsets `json:"correctionOffsets"`
	}
	if err := unmarshal("QueryCorrectionOffsetBody", body, &in); err != nil {
		return nil, err
	}
	return &CorrectionOffsets{Queues: in.CorrectionOffsets.sorted()}, nil
}
