package controller

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The log file of a controller is a row of frames. Each is what one write has put there, and was made durable before the next one was
// written, so a crash can tear the last one and no other. Numbers are big endian.
//
//	4  magic
//	4  length of the content in bytes
//	8  offset of the frame in the file
//	4  CRC-32C of the content
//	4  CRC-32C of the four above
//	…  content: records, each a byte that says what it is, 4 bytes of length, and as many of content
//	1  end mark, which is not zero: so no part of a frame is all zeros

const (
	frameMagic  = 0x47544C32 // "GTL2"
	frameHeader = 24
	frameEnd    = 0xA5
	// sector is what a disk writes in one piece.
	sector = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame that will stand at an offset of the file.
func appendFrame(dst []byte, offset int64, content []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, frameMagic)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(content)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(content, castagnoli))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	dst = append(dst, content...)
	return append(dst, frameEnd)
}

// sizeAt returns how long the content of the frame at an offset is. It reports false if no whole header stands there.
func sizeAt(file []byte, offset int64) (size int64, ok bool) {
	rest := file[offset:]
	if len(rest) < frameHeader || binary.BigEndian.Uint32(rest) != frameMagic || binary.BigEndian.Uint64(rest[8:]) != uint64(offset) {
		return 0, false
	}
	return int64(binary.BigEndian.Uint32(rest[4:])), crc32.Checksum(rest[:frameHeader-4], castagnoli) == binary.BigEndian.Uint32(rest[frameHeader-4:])
}

// frameAt returns the content of the frame at an offset, and the offset behind it. It reports false if there is no whole frame.
func frameAt(file []byte, offset int64) (content []byte, next int64, ok bool) {
	size, ok := sizeAt(file, offset)
	rest := file[offset:]
	if !ok || size > int64(len(rest))-frameHeader-1 || rest[frameHeader+size] != frameEnd {
		return nil, 0, false
	}
	content = rest[frameHeader : frameHeader+size]
	return content, offset + frameHeader + size + 1, crc32.Checksum(content, castagnoli) == binary.BigEndian.Uint32(rest[frameHeader-8:])
}

// readFrames hands the content of each frame to take, and returns where the last whole one ends. What is behind it was torn by a crash
// while it was written; nobody has been told that it is there. Everything else that cannot be read is errDamaged with its offset.
func readFrames(file []byte, take func(content []byte) error) (end int64, err error) {
	for end < int64(len(file)) {
		content, next, ok := frameAt(file, end)
		if !ok {
			return end, damagedOrTorn(file, end)
		}
		if err := take(content); err != nil {
			return end, fmt.Errorf("at offset %d: %w", end, err)
		}
		end = next
	}
	return end, nil
}

// damagedOrTorn tells what to think of bytes that are no frame. The first frame of a file is never torn: the file gets its name only
// when it is durable. A frame with another behind it was durable before that one was written. The last one is torn if it is short, or a
// sector of it was never written; if there is something everywhere and it is wrong, it was right once.
func damagedOrTorn(file []byte, offset int64) error {
	switch {
	case offset == 0:
		return fmt.Errorf("%w: the first frame cannot be read", errDamaged)
	case hasFrameBehind(file, offset):
		return fmt.Errorf("%w: the frame at offset %d cannot be read, and there is another one behind it", errDamaged, offset)
	case isShort(file, offset) || hasHole(file, offset):
		return nil
	}
	return fmt.Errorf("%w: the last frame, at offset %d, is all there and wrong", errDamaged, offset)
}

func hasFrameBehind(file []byte, offset int64) bool {
	magic := binary.BigEndian.AppendUint32(nil, frameMagic)
	for at := offset + 1; ; at++ {
		found := bytes.Index(file[at:], magic)
		if found < 0 {
			return false
		}
		at += int64(found)
		if _, _, ok := frameAt(file, at); ok {
			return true
		}
	}
}

// isShort reports whether the file ends before the frame does, as its header has it.
func isShort(file []byte, offset int64) bool {
	rest := int64(len(file)) - offset
	size, ok := sizeAt(file, offset)
	return rest < frameHeader+1 || ok && size > rest-frameHeader-1
}

// hasHole reports whether the part of some sector that is behind an offset is all zeros.
func hasHole(file []byte, offset int64) bool {
	for start := offset; start < int64(len(file)); {
		end := min(start/sector*sector+sector, int64(len(file)))
		if len(bytes.Trim(file[start:end], "\x00")) == 0 {
			return true
		}
		start = end
	}
	return false
}

// What a record is.
const (
	recordHead     byte = 1 + iota // JSON: whose file it is
	recordSnapshot                 // raftpb.Snapshot
	recordState                    // raftpb.HardState: term and vote
	recordEntry                    // raftpb.Entry
)

func appendRecord(dst []byte, kind byte, content []byte) []byte {
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(content)))
	return append(dst, content...)
}

// readRecords hands on each record of a frame.
func readRecords(frame []byte, take func(kind byte, content []byte) error) error {
	for len(frame) > 0 {
		if len(frame) < 5 || int64(binary.BigEndian.Uint32(frame[1:])) > int64(len(frame)-5) {
			return fmt.Errorf("%w: a record is longer than its frame", errDamaged)
		}
		size := int(binary.BigEndian.Uint32(frame[1:]))
		if err := take(frame[0], frame[5:5+size]); err != nil {
			return err
		}
		frame = frame[5+size:]
	}
	return nil
}
