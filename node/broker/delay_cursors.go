package broker

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// delaysFile has the layout of DelayOffsetSerializeWrapper: {"dataVersion":…,"offsetTable":{"1":123}}, and a word of our own.
const delaysFile = "delayOffset.json"

// delayDocument is the file.
type delayDocument struct {
	Version json.RawMessage               `json:"dataVersion,omitempty"`
	Cursors map[int32]message.QueueOffset `json:"offsetTable"` // by level
	// Covered is the place in the log up to which the cursors count all deliveries. A Java broker, which marks none, leaves it out.
	Covered *message.LogOffset `json:"deliveriesBefore,omitempty"`
	// Delivered: but for those of messages that end here, at or behind the cursors.
	Delivered []message.LogOffset `json:"delivered,omitempty"`
}

// load reads the file. Without one all deliveries are looked for in the log.
func (d *delays) load() error {
	return loadDocument(d.broker.env, delaysFile, func(content []byte) error {
		strict, err := proto.Strict(content)
		if err != nil {
			return err
		}
		var in delayDocument
		if err := json.Unmarshal(strict, &in); err != nil {
			return err
		}
		for level := range d.cursors {
			d.cursors[level] = in.Cursors[int32(level+1)]
		}
		d.covered = d.broker.store.Confirmed()
		if in.Covered != nil {
			d.covered = *in.Covered
		}
		for _, end := range in.Delivered {
			d.delivered[end] = struct{}{}
		}
		return nil
	})
}

// save writes the cursors. They must not be ahead of the deliveries: those are made durable first.
func (d *delays) save() error {
	if !d.changed {
		return nil
	}
	s := d.broker.store
	d.changed = false
	text := d.encode(s.Confirmed())
	err := s.Flush()
	if err == nil {
		err = d.broker.saveTable(delaysFile, text)
	}
	if err != nil {
		d.changed = true
	}
	return err
}

func (d *delays) encode(covered message.LogOffset) []byte {
	out := delayDocument{Cursors: map[int32]message.QueueOffset{}, Covered: &covered, Delivered: slices.Sorted(maps.Keys(d.delivered))}
	for level, cursor := range d.cursors {
		out.Cursors[int32(level+1)] = cursor
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // numbers can be encoded
	}
	return text
}
