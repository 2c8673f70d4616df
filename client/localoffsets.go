package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
)

// localOffsets keeps offsets in a file of this member (class LocalFileOffsetStore): "<client id>/<group>/offsets.json" on the
// node's disk. It reads the files of Java and of Go clients and writes the latter's form, which is legal JSON.
type localOffsets struct {
	consumer *PushConsumer
	dir      string
	offsets  map[Queue]int64
	dirty    bool // offsets are newer than the file
	writing  bool
	written  env.Cond
}

// Names of the files.
const (
	offsetsFile   = "offsets.json"
	offsetsBackup = "offsets.json.bak" // what was there before
	offsetsNew    = "offsets.json.tmp" // half written, perhaps
)

// errOffsetsUnreadable is under the error when both files are damaged.
var errOffsetsUnreadable = errors.New("the file of offsets cannot be read")

// load reads the file, or the one before it. Without any, there are no offsets yet.
func (s *localOffsets) load() error {
	c := s.consumer
	s.dir = path.Join(c.core.ids.clientID(), c.config.group)
	s.written = c.core.env.Tasks.NewCond()
	s.offsets = map[Queue]int64{}
	table, found, err := s.readFile(offsetsFile)
	if err != nil || !found {
		var older error
		table, found, older = s.readFile(offsetsBackup)
		if err = errors.Join(err, older); err != nil && !found {
			return fmt.Errorf("%w: repair or remove %s: %w", errOffsetsUnreadable, s.dir, err)
		}
	}
	for _, entry := range table {
		s.offsets[entry.Queue] = entry.Offset
	}
	return nil
}

// readFile reads one file. found is false if there is none, or nothing in it that could be read.
func (s *localOffsets) readFile(name string) (table []proto.QueueOffset, found bool, err error) {
	file, err := s.consumer.core.env.Disk.Open(path.Join(s.dir, name))
	if errors.Is(err, env.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	text := make([]byte, file.Size())
	n, err := file.ReadAt(text, 0)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, false, err
	}
	offsets, err := proto.UnmarshalResetOffsets(text[:n])
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return offsets.Offsets, true, nil
}

func (s *localOffsets) read(queue Queue) (QueueOffset, bool, error) {
	offset, found := s.offsets[queue]
	return QueueOffset(max(offset, 0)), found && offset >= 0, nil
}

func (s *localOffsets) write(queue Queue, offset QueueOffset, _ env.Instant) error {
	s.offsets[queue], s.dirty = int64(offset), true
	return nil
}

// flush replaces the file, unless it is up to date.
func (s *localOffsets) flush() error {
	for s.writing {
		s.written.Wait()
	}
	if !s.dirty {
		return nil
	}
	s.writing, s.dirty = true, false
	err := s.replace()
	s.dirty = s.dirty || err != nil
	s.writing = false
	s.written.Broadcast()
	return err
}

// replace writes a new file and moves it into place, so that a crash at any point leaves one that can be read.
func (s *localOffsets) replace() error {
	disk := s.consumer.core.env.Disk
	main, backup, fresh := path.Join(s.dir, offsetsFile), path.Join(s.dir, offsetsBackup), path.Join(s.dir, offsetsNew)
	if err := disk.Remove(fresh); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	file, err := disk.Create(fresh)
	if err != nil {
		return err
	}
	text := marshalOffsets(s.offsets)
	err = file.WriteAt(text, 0)
	if err == nil {
		err = file.Sync(0, int64(len(text)))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := disk.Rename(main, backup); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	if err := disk.Rename(fresh, main); err != nil {
		return err
	}
	return disk.SyncDir(s.dir)
}

// marshalOffsets writes the form of Go clients: each queue is a string that holds an object.
func marshalOffsets(offsets map[Queue]int64) []byte {
	table := make(map[string]int64, len(offsets))
	// order does not matter: the encoder sorts keys
	for queue, offset := range offsets {
		table[queueKey(queue)] = offset
	}
	text, err := json.MarshalIndent(map[string]any{"offsetTable": table}, "", "\t")
	if err != nil {
		// Strings and numbers can always be written.
		return nil
	}
	return text
}

func queueKey(queue Queue) string {
	// The order of the members is that of other clients.
	name, _ := json.Marshal(queue.BrokerName)
	topic, _ := json.Marshal(queue.Topic)
	return fmt.Sprintf(`{"brokerName":%s,"queueId":%d,"topic":%s}`, name, queue.QueueID, topic)
}
