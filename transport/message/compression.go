package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// What clients use unless told otherwise.
const (
	CompressionThresholdDefault = 4096 // bytes; shorter bodies are sent as they are
	CompressionLevelDefault     = 5
)

// zstdWindowMax is the widest back reference of zstd that is followed, as its standard
// recommends; it covers every level up to 19 and bounds what a hostile body can make
// the decoder set aside.
const zstdWindowMax = 8 << 20

// Compressor compresses bodies. It holds scratch memory and nothing else: equal
// arguments give equal bytes, whatever it did before. The zero value is ready. It
// is not for concurrent use; it starts no goroutine.
type Compressor struct {
	zlib      *zlib.Writer
	zlibLevel int
	lz4       *lz4.Writer
	zstd      *zstd.Encoder
	zstdLevel int
}

// Append appends the compressed form of body to dst. Level goes from 1 (fast) to 9
// (small) for zlib, to 22 for zstd, and is ignored for lz4; outside that range the nearest
// one is used. The error is ErrCompression for a type that has no meaning.
func (c *Compressor) Append(dst, body []byte, kind Compression, level int) ([]byte, error) {
	switch kind {
	case CompressionZlib:
		return c.appendZlib(dst, body, min(max(level, 1), 9))
	case CompressionLZ4:
		return c.appendLZ4(dst, body)
	case CompressionZstd:
		return c.appendZstd(dst, body, min(max(level, 1), 22))
	}
	return dst, fmt.Errorf("%w: %v is unknown; use zlib, lz4 or zstd", ErrCompression, kind)
}

func (c *Compressor) appendZlib(dst, body []byte, level int) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	if c.zlib == nil || c.zlibLevel != level {
		writer, err := zlib.NewWriterLevel(out, level)
		if err != nil {
			return dst, fmt.Errorf("zlib: %w", err)
		}
		c.zlib, c.zlibLevel = writer, level
	} else {
		c.zlib.Reset(out)
	}
	return finish(dst, body, c.zlib, out)
}

func (c *Compressor) appendLZ4(dst, body []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	if c.lz4 == nil {
		c.lz4 = lz4.NewWriter(nil)
	}
	c.lz4.Reset(out)
	// The record carries a checksum of its own. One goroutine is none of its own.
	if err := c.lz4.Apply(lz4.ConcurrencyOption(1), lz4.ChecksumOption(false),
		lz4.BlockSizeOption(lz4BlockFor(len(body)))); err != nil {
		return dst, fmt.Errorf("lz4: %w", err)
	}
	return finish(dst, body, c.lz4, out)
}

// lz4BlockFor returns the smallest block that holds the body, because both ends
// set aside a whole block however little is in it.
func lz4BlockFor(length int) lz4.BlockSize {
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb} {
		if length <= int(size) {
			return size
		}
	}
	return lz4.Block4Mb
}

func (c *Compressor) appendZstd(dst, body []byte, level int) ([]byte, error) {
	if c.zstd == nil || c.zstdLevel != level {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
		if err != nil {
			return dst, fmt.Errorf("zstd: %w", err)
		}
		c.zstd, c.zstdLevel = encoder, level
	}
	return c.zstd.EncodeAll(body, dst), nil
}

// finish writes the body to an encoder whose output is out.
func finish(dst, body []byte, encoder io.WriteCloser, out *bytes.Buffer) ([]byte, error) {
	if _, err := encoder.Write(body); err != nil {
		return dst, fmt.Errorf("compress: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return dst, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// Decompressor reads compressed bodies. It holds scratch memory and nothing else. The
// zero value is ready. It is not for concurrent use; it starts no goroutine.
type Decompressor struct {
	zlib      io.ReadCloser
	lz4       *lz4.Reader
	zstd      *zstd.Decoder
	zstdLimit int
}

// Body returns a stored body as the application sent it: stored itself if flags do not
// say that it is compressed, else new bytes. The errors are those of Append.
func (d *Decompressor) Body(stored []byte, flags SysFlags, limit int) ([]byte, error) {
	if !flags.Compressed() {
		return stored, nil
	}
	return d.Append(nil, stored, flags.Compression(), limit)
}

// Append appends the original of a compressed body to dst. It sets aside no more than a
// small multiple of limit, whatever the body claims.
//
// The errors are ErrBodyLength, if the original is longer than limit bytes, and
// ErrCompression; with either, dst is returned as it was.
func (d *Decompressor) Append(dst, stored []byte, kind Compression, limit int) ([]byte, error) {
	var out []byte
	var err error
	limit = max(limit, 0)
	switch kind {
	case CompressionZlib:
		out, err = d.appendZlib(dst, stored, limit)
	case CompressionLZ4:
		out, err = d.appendLZ4(dst, stored, limit)
	case CompressionZstd:
		out, err = d.appendZstd(dst, stored, limit)
	default:
		err = errors.New("unknown type")
	}
	switch {
	case errors.Is(err, ErrBodyLength):
		return dst, err
	case err != nil:
		return dst, fmt.Errorf("%w: %v, %d bytes: %v", ErrCompression, kind, len(stored), err)
	}
	return out, nil
}

func (d *Decompressor) appendZlib(dst, stored []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(stored)
	if d.zlib == nil {
		reader, err := zlib.NewReader(in)
		if err != nil {
			return nil, err
		}
		d.zlib = reader
	} else if err := d.zlib.(zlib.Resetter).Reset(in, nil); err != nil {
		return nil, err
	}
	return readBounded(dst, d.zlib, len(stored), limit)
}

var lz4Magic = []byte{0x04, 0x22, 0x4D, 0x18}

func (d *Decompressor) appendLZ4(dst, stored []byte, limit int) ([]byte, error) {
	// The library also reads an older format, which no client writes or reads.
	if !bytes.HasPrefix(stored, lz4Magic) {
		return nil, errors.New("not the magic of an lz4 frame")
	}
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(nil)
	}
	d.lz4.Reset(bytes.NewReader(stored))
	if err := d.lz4.Apply(lz4.ConcurrencyOption(1)); err != nil {
		return nil, err
	}
	return readBounded(dst, d.lz4, len(stored), limit)
}

func (d *Decompressor) appendZstd(dst, stored []byte, limit int) ([]byte, error) {
	if d.zstd == nil || d.zstdLimit != limit {
		// A frame of unknown length names a window that may be far larger than its content, so
		// the decoder's own limit must not be below the window.
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindowMax), zstd.WithDecoderMaxMemory(uint64(max(limit, zstdWindowMax))))
		if err != nil {
			return nil, err
		}
		d.zstd, d.zstdLimit = decoder, limit
	}
	// Without a frame the library returns nothing and no error.
	if len(stored) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	out, err := d.zstd.DecodeAll(stored, dst)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || err == nil && len(out)-len(dst) > limit {
		return nil, tooLong(limit)
	}
	return out, err
}

// readBounded appends what the reader gives to dst, up to limit bytes. The first guess
// is that a body shrinks to a quarter.
func readBounded(dst []byte, r io.Reader, storedLength, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, min(4*storedLength, limit)+1)
	for {
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > limit {
			return nil, tooLong(limit)
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
		dst = slices.Grow(dst, 1)
	}
}

func tooLong(limit int) error {
	return fmt.Errorf("%w: more than %d bytes when decompressed", ErrBodyLength, limit)
}
