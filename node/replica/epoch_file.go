package replica

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/transport/message"
)

// EpochFile is the name of the file, in the store's directory, that keeps the eras of the log (epochFileCheckpoint). It is text: the number
// of eras, the CRC-32 of the lines that follow with its highest bit cleared (0: unknown), and a line epoch-start for each.
const EpochFile = "epochFileCheckpoint"

// ErrEpochFile: the file cannot be read. Who has copies of the log can make this one anew.
var ErrEpochFile = errors.New("the file of epochs is damaged")

// erasMax bounds the eras of one file; 20 bytes each or somewhat more.
const erasMax = 1_000_000

// EncodeFile is the content of the file.
func (e *Epochs) EncodeFile() []byte {
	var lines strings.Builder
	for _, era := range e.eras {
		lines.WriteString(era.String())
		lines.WriteByte('\n')
	}
	return fmt.Appendf(nil, "%d\n%d\n%s", len(e.eras), epochSum(lines.String()), lines.String())
}

func epochSum(lines string) uint32 { return crc32.ChecksumIEEE([]byte(lines)) & 0x7FFFFFFF }

// DecodeEpochFile reads the content of the file. The error is ErrEpochFile.
func DecodeEpochFile(content []byte) (Epochs, error) {
	count, rest, _ := strings.Cut(string(content), "\n")
	sum, lines, ok := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 0 || n > erasMax {
		return Epochs{}, fmt.Errorf("%w: the first line is to say how many epochs follow, up to %d, and the second their checksum", ErrEpochFile, erasMax)
	}
	want, err := strconv.ParseUint(sum, 10, 32)
	if err != nil {
		return Epochs{}, fmt.Errorf("%w: the checksum: %w", ErrEpochFile, err)
	}
	if want != 0 && uint32(want) != epochSum(lines) {
		return Epochs{}, fmt.Errorf("%w: its checksum is %d, the lines have %d", ErrEpochFile, want, epochSum(lines))
	}
	var eras []Era
	for line := range strings.Lines(lines) {
		era, err := parseEra(strings.TrimRight(line, "\r\n"))
		if err != nil {
			return Epochs{}, fmt.Errorf("%w: %w", ErrEpochFile, err)
		}
		eras = append(eras, era)
	}
	if len(eras) != n {
		return Epochs{}, fmt.Errorf("%w: it has %d epochs and says that they are %d", ErrEpochFile, len(eras), n)
	}
	epochs, err := NewEpochs(eras)
	if err != nil {
		return Epochs{}, fmt.Errorf("%w: %w", ErrEpochFile, err)
	}
	return epochs, nil
}

func parseEra(line string) (Era, error) {
	number, place, _ := strings.Cut(line, "-")
	epoch, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return Era{}, fmt.Errorf("line %q: the epoch: %w", line, err)
	}
	start, err := strconv.ParseInt(place, 10, 64)
	if err != nil {
		return Era{}, fmt.Errorf("line %q: the start: %w", line, err)
	}
	return Era{Epoch(epoch), message.LogOffset(start)}, nil
}
