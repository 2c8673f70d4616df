package segment

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/node/env"
)

// Small files beside the rows are JSON, {"<name>":…,"checksum":…}, replaced as a whole. The checksum is the CRC-32 of the bytes of what
// the name stands for.

// ErrDocument: a document is not whole, or not one of this name.
var ErrDocument = errors.New("the document is damaged")

// WriteDocument replaces a file with a document. Its results are those of ReplaceFile; an error that content cannot be encoded comes before anything is done.
func WriteDocument(disk env.Disk, path, name string, content any) (renamed bool, err error) {
	text, err := json.Marshal(content)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return ReplaceFile(disk, path, fmt.Appendf(nil, `{%q:%s,"checksum":%d}`, name, text, crc32.ChecksumIEEE(text)))
}

// ReadDocument reads a document of at most so many bytes into a value, which stays as it is if there is no file. ErrDocument says that it cannot be
// believed; other errors are the disk's.
func ReadDocument(disk env.Disk, path, name string, sizeMax int64, into any) error {
	f, err := disk.Open(path)
	if errors.Is(err, env.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text := make([]byte, min(f.Size(), sizeMax))
	n, err := f.ReadAt(text, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return decodeDocument(text[:n], name, into)
}

func decodeDocument(text []byte, name string, into any) error {
	var members map[string]json.RawMessage
	var sum uint32
	err := json.Unmarshal(text, &members)
	if err == nil {
		err = json.Unmarshal(members["checksum"], &sum)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	content := members[name]
	if actual := crc32.ChecksumIEEE(content); actual != sum {
		return fmt.Errorf("%w: the checksum of %q is %d, the file says %d", ErrDocument, name, actual, sum)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return nil
}
