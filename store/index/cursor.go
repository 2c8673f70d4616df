package index

import "github.com/gantrymq/gantry/transport/message"

// Cursor reads all items of all files in order, for a check. It waits for the disk.
type Cursor struct {
	tables []*table
	number int32 // of the next item in the first of tables
	chunk  []byte
}

// Cursor begins before the first item.
func (x *Index) Cursor() *Cursor { return &Cursor{tables: x.tables, number: 1} }

// Next returns the next item's hash and place; ok is false behind the last one. The fields may be of any
// value in a damaged file.
func (c *Cursor) Next() (hash int32, at message.LogOffset, ok bool, err error) {
	for len(c.tables) > 0 && c.number >= c.tables[0].header.Count {
		c.tables, c.number, c.chunk = c.tables[1:], 1, nil
	}
	if len(c.tables) == 0 {
		return 0, 0, false, nil
	}
	if len(c.chunk) == 0 {
		t := c.tables[0]
		c.chunk = make([]byte, min(readMax/itemSize, int64(t.header.Count-c.number))*itemSize)
		if err := t.readFull(c.chunk, t.sizes.itemAt(c.number)); err != nil {
			return 0, 0, false, err
		}
	}
	item := decodeItem(c.chunk)
	c.chunk = c.chunk[itemSize:]
	c.number++
	return item.hash, item.log, true, nil
}
