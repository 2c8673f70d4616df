package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
)

// tableWriter writes the tables of an elected master to the config directory of a copy, in the order in which they changed.
type tableWriter struct {
	broker  *Broker
	staged  map[string][]byte // parts of large changes
	first   map[string]bool   // files of the copy of all tables with which a connection begins
	open    string            // a file whose appends are not durable yet
	file    env.File
	from    int64 // they are behind it
	to      int64
	number  uint64 // of the last change that was written
	durable uint64 // and that is on the medium
	topics  bool   // the table of topics is to be read again, at once: messages of topics that are gone go before others come
	others  bool   // other tables have changed, of which a copy that is not read needs nothing
	timers  bool   // the table of timers is another one: other files of the log are needed
	read    env.Instant
}

// take carries out a change that the follower has judged.
func (w *tableWriter) take(c *replica.Change) error {
	if c.Name != "" && !isTable(c.Name) {
		return fmt.Errorf("%w: a change of %q, which is the name of no table", replica.ErrFrame, c.Name)
	}
	content := c.Bytes
	if part, ok := w.staged[c.Name]; ok || c.Operation == replica.OperationStage {
		if len(part)+len(content) > documentMax {
			return fmt.Errorf("%w: %s has more than %d bytes", replica.ErrFrame, c.Name, documentMax)
		}
		content = append(part, content...)
	}
	if c.Operation == replica.OperationStage {
		if w.staged == nil {
			w.staged = map[string][]byte{}
		}
		// The frame's memory is used again.
		w.staged[c.Name] = append([]byte(nil), content...)
		return nil
	}
	delete(w.staged, c.Name)
	if err := w.write(c, content); err != nil {
		return err
	}
	if c.First && c.Name != "" {
		if w.first == nil {
			w.first = map[string]bool{}
		}
		w.first[c.Name] = true
	}
	if c.LastOfFirst {
		if err := w.removeOthers(); err != nil {
			return err
		}
	}
	if !c.First || c.LastOfFirst {
		w.number = c.Number
	}
	if c.Name == topicsFile || c.LastOfFirst {
		w.topics = true
	}
	w.others, w.timers = true, w.timers || c.Name == timersFile
	return nil
}

func (w *tableWriter) write(c *replica.Change, content []byte) error {
	switch c.Operation {
	case replica.OperationPut:
		if err := w.sync(); err != nil {
			return err
		}
		return saveDocument(w.broker.env.Disk, c.Name, content)
	case replica.OperationAppend:
		return w.append(c, content)
	}
	return nil
}

// append writes the end of a file. Several that follow each other become durable together.
func (w *tableWriter) append(c *replica.Change, content []byte) error {
	if w.open != c.Name {
		if err := w.sync(); err != nil {
			return err
		}
		f, err := w.broker.env.Disk.Open(configDir + "/" + c.Name)
		if err != nil {
			return err
		}
		w.open, w.file, w.from, w.to = c.Name, f, c.At, c.At
	}
	if c.At > w.file.Size() {
		return fmt.Errorf("%w: bytes for %s at %d, which has %d", replica.ErrStream, c.Name, c.At, w.file.Size())
	}
	if err := w.file.Truncate(c.At); err != nil {
		return err
	}
	if err := w.file.WriteAt(content, c.At); err != nil {
		return err
	}
	w.from, w.to = min(w.from, c.At), c.At+int64(len(content))
	return nil
}

// sync makes appends durable.
func (w *tableWriter) sync() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Sync(w.from, w.to)
	err = errors.Join(err, w.file.Close())
	w.open, w.file = "", nil
	return err
}

// removeOthers removes tables that the master does not have.
func (w *tableWriter) removeOthers() error {
	files := map[string]tableCopyFile{}
	// order does not matter: the names are only looked up
	for name := range w.first {
		files[name] = tableCopyFile{}
	}
	s := w.broker.slave
	_, err := s.removeOthers(files)
	w.first = nil
	return err
}

// finish makes all that was taken durable, and lets it be read.
func (w *tableWriter) finish() error {
	if err := w.sync(); err != nil {
		return err
	}
	w.durable = w.number
	if w.timers {
		w.timers = false
		w.broker.holdTimers()
	}
	now := w.broker.env.Clock.Now()
	if !w.topics && !(w.others && w.broker.options.SlaveRead && now.Sub(w.read) > readTablesEvery) {
		return nil
	}
	w.topics, w.others, w.read = false, false, now
	return w.broker.slave.reload()
}

// readTablesEvery is how often a copy that is read looks at what groups have consumed.
const readTablesEvery = 500 * time.Millisecond
