package broker

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/wire"
	"go.uber.org/zap"
)

// tableCopy is what a slave knows of its master's tables. They come into force together, and not before the slave's log is as long as that of the
// master was when it had them: cursors and offsets never speak of messages that the slave lacks.
type tableCopy struct {
	log   message.LogOffset
	files map[string]tableCopyFile // what the master has, nil before the first time
	in    map[string]uint32        // checksums of what is in force here
	gone  []string                 // topics that the master has removed, and whose messages are still here
	java  bool                     // the master does not know the request: it is one of Apache's
	// untimed says that what was known of timed messages from another master is gone.
	untimed bool
}

type tableCopyFile struct {
	sum     uint32
	content []byte // nil: it is in force already
}

// copyLoop copies the tables of the master again and again.
func (s *slave) copyLoop() {
	b := s.broker
	for !s.closing {
		s.wake.WaitUntil(b.env.Clock.Now().Add(b.options.Replication.CopyTables))
		if s.closing || s.master == "" || !s.connected {
			continue
		}
		if err := s.copyOnce(); err != nil {
			b.env.Log.Warn("the tables of the master could not be copied; it is tried again", zap.Error(err))
		}
	}
}

func (s *slave) copyOnce() error {
	if s.copied.files == nil {
		asked := s.broker.env.Clock.Now()
		if err := s.fetch(); err != nil {
			return err
		}
		s.seen.masterWas(s.copied.log, asked)
	}
	s.seen.has(s.broker.store.Durable())
	if s.broker.store.Durable() < s.copied.log {
		return nil // the log comes first
	}
	files := s.copied.files
	s.copied.files = nil
	return s.apply(files)
}

// fetch gets what has changed.
func (s *slave) fetch() error {
	if s.copied.java {
		s.broker.store.Allow(s.broker.store.Durable())
		return s.fetchJava()
	}
	response, err := s.ask(&transport.Request{Code: proto.ReqCopyTables, Header: &proto.CopyTables{}})
	var refused *transport.ResponseError
	if errors.As(err, &refused) && refused.Code == proto.RespRequestCodeNotSupported {
		s.copied.java = true
		return s.fetchJava()
	}
	if err != nil {
		return err
	}
	list, err := proto.UnmarshalTableList(response.Body)
	if err != nil {
		return err
	}
	s.broker.store.Allow(message.LogOffset(list.Confirmed))
	files := map[string]tableCopyFile{}
	for _, f := range list.Files {
		if !isTable(f.Name) {
			return fmt.Errorf("the master has a table %q, which is the name of none", f.Name)
		}
		file := tableCopyFile{sum: f.Checksum}
		if have, ok := s.copied.in[f.Name]; !ok || have != f.Checksum {
			if file.content, err = s.fetchFile(f); err != nil {
				return err
			}
		}
		files[f.Name] = file
	}
	s.copied.log, s.copied.files = message.LogOffset(list.Log), files
	return nil
}

// errChangedMeanwhile: the next round gets it.
var errChangedMeanwhile = errors.New("it has changed meanwhile")

func (s *slave) fetchFile(f proto.TableFile) ([]byte, error) {
	content := []byte{}
	for int64(len(content)) < f.Size {
		response, err := s.ask(&transport.Request{Code: proto.ReqCopyTables, Header: &proto.CopyTables{Name: f.Name, From: int64(len(content))}})
		if err != nil {
			return nil, err
		}
		var header proto.CopyTablesResponse
		if err := header.DecodeFields(response.Fields); err != nil {
			return nil, err
		}
		if header.Size != f.Size || uint32(header.Checksum) != f.Checksum || len(response.Body) == 0 {
			return nil, fmt.Errorf("table %s: %w", f.Name, errChangedMeanwhile)
		}
		content = append(content, response.Body...)
	}
	if crc32.ChecksumIEEE(content) != f.Checksum {
		return nil, fmt.Errorf("table %s: %w", f.Name, errChangedMeanwhile)
	}
	return content, nil
}

// apply puts tables in force: first in the directory, then in memory.
func (s *slave) apply(files map[string]tableCopyFile) error {
	b := s.broker
	if s.copied.in == nil {
		s.copied.in = map[string]uint32{}
	}
	changed := false
	// In this order, so that the journal of offsets comes behind the table that it belongs to.
	for _, name := range sortedNames(files) {
		if files[name].content == nil {
			continue
		}
		delete(s.copied.in, name)
		if err := saveDocument(b.env.Disk, name, files[name].content); err != nil {
			return err
		}
		s.copied.in[name], changed = files[name].sum, true
	}
	if s.copied.java && !s.copied.untimed {
		if err := b.forgetTimers(); err != nil {
			return err
		}
		s.copied.untimed = true
	}
	gone, err := s.removeOthers(files)
	if err != nil || !changed && !gone {
		return err
	}
	if err := s.reload(); err != nil {
		// What is in the directory is not in force: it must not pass for known.
		s.copied.in = nil
		return err
	}
	return nil
}

// removeOthers removes the tables that the master does not have, unless it does not tell.
func (s *slave) removeOthers(files map[string]tableCopyFile) (removed bool, err error) {
	b := s.broker
	if s.copied.java {
		return false, nil
	}
	entries, err := b.env.Disk.List(configDir)
	if err != nil && !errors.Is(err, env.ErrNotExist) {
		return false, err
	}
	for _, e := range entries {
		if _, ok := files[e.Name]; ok || e.IsDir || !isTable(e.Name) {
			continue
		}
		if err := b.env.Disk.Remove(configDir + "/" + e.Name); err != nil {
			return removed, err
		}
		delete(s.copied.in, e.Name)
		removed = true
	}
	if removed {
		err = b.env.Disk.SyncDir(configDir)
	}
	return removed, err
}

// reload reads the tables that a slave serves. Topics that are gone lose their messages here, too.
func (s *slave) reload() error {
	b := s.broker
	before := sortedNames(b.topics.byName)
	if err := b.loadCopies(); err != nil {
		return err
	}
	b.names.changed()
	for _, topic := range before {
		if b.topics.byName[topic] == nil && !b.topics.isSystem(topic) {
			s.copied.gone = append(s.copied.gone, topic)
		}
	}
	for ; len(s.copied.gone) > 0; s.copied.gone = s.copied.gone[1:] {
		topic := s.copied.gone[0]
		if b.topics.byName[topic] != nil {
			continue // it was made again
		}
		end := s.copied.log
		if b.options.Role == ElectedCopy {
			// Changes come in order: all that the topic has was there before it was removed.
			end = b.store.End()
		}
		if err := b.store.DropTopicBefore(topic, end); err != nil {
			return err
		}
		b.waiting.releaseAll(func(h *heldPull) bool { return h.queue.Topic == topic })
	}
	return nil
}

// loadCopies reads the tables that a slave serves, which nobody changes but its master.
func (b *Broker) loadCopies() error {
	topics, groups, offsets := newTopicTable(b), newGroupTable(b), &offsetTable{broker: b, byKey: map[string]map[int32]int64{}}
	err := errors.Join(topics.load(), groups.load(), loadDocument(b.env, offsetsFile, offsets.decode), b.modes.load())
	if err != nil {
		return err
	}
	journal, err := readJournal(b.env.Disk, offsets.saved)
	if err != nil {
		return err
	}
	for _, e := range journal {
		offsets.put(e.key, e.queue, e.offset)
	}
	// All at once: nobody sees a topic or a group missing that is only read again.
	b.topics.byName, b.topics.version = topics.byName, topics.version
	b.groups.byName, b.groups.forbidden, b.groups.version = groups.byName, groups.forbidden, groups.version
	b.offsets.byKey, b.offsets.version, b.offsets.saved = offsets.byKey, offsets.version, offsets.saved
	b.holdTimers()
	return nil
}

func (s *slave) ask(request *transport.Request) (*wire.Command, error) {
	b := s.broker
	return b.outgoing.Call(nil, s.master, request, b.options.RegisterTimeout)
}
