package namesrv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// kvConfig is the key-value config (class KVConfigManager): texts by namespace and key, in a file of
// the layout {"configTable":{"namespace":{"key":"value"}}}.
//
// What is read here is durable. A change is first written, as a new file that takes the
// place of the old one, and then shown; changes wait for each other.
type kvConfig struct {
	env    env.Env
	path   string
	limits Limits
	// table and the maps in it are never changed, only replaced, so that readers may keep them.
	table   map[string]map[string]string
	writing *env.Semaphore
	inDoubt bool // the last write failed: the file may hold what the table does not
	backup  bool // there may be a backup of the other implementation
}

// Errors of changes.
var (
	errKVUnusable = errors.New("the key-value config cannot take this")
	errKVFile     = errors.New("the key-value config cannot be kept")
)

func newKVConfig(e env.Env, path string, limits Limits) *kvConfig {
	return &kvConfig{
		env: e, path: path, limits: limits, backup: true,
		table: map[string]map[string]string{}, writing: env.NewSemaphore(e.Tasks, 1),
	}
}

// backupPath is where the other implementation keeps the file of before its last write. It writes in
// place, so after a crash the backup may be all there is.
func (k *kvConfig) backupPath() string { return k.path + ".bak" }

// load reads the file. It waits for the disk. Without any file the table is empty; a damaged
// file is an error unless there is a backup.
func (k *kvConfig) load() error {
	content, err := k.read(k.path)
	if err != nil {
		return fmt.Errorf("%w: %w", errKVFile, err)
	}
	var damage error
	if len(content) > 0 {
		table, err := decodeKV(content)
		if err == nil {
			k.table = table
			return nil
		}
		damage = fmt.Errorf("%w: %s is damaged: %w; repair or remove it", errKVFile, k.path, err)
	}
	older, err := k.loadBackup()
	switch {
	case err != nil:
		return errors.Join(damage, err)
	case older == nil:
		return damage
	}
	k.env.Log.Warn("the key-value config is that of the backup, because the file is missing, empty or damaged",
		zap.String("file", k.path), zap.Error(damage))
	k.table = older
	return nil
}

// loadBackup returns nil if there is none.
func (k *kvConfig) loadBackup() (map[string]map[string]string, error) {
	content, err := k.read(k.backupPath())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKVFile, err)
	}
	if len(content) == 0 {
		return nil, nil
	}
	table, err := decodeKV(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is damaged: %w", errKVFile, k.backupPath(), err)
	}
	return table, nil
}

// read returns nothing for a missing file.
func (k *kvConfig) read(name string) ([]byte, error) {
	// A byte can take six as an escape; keys come with white space and quotes.
	content, err := readFile(k.env.Disk, name, 6*k.limits.KVBytes+64*k.limits.KVEntries+1024)
	if errors.Is(err, env.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// decodeKV reads the file's layout in any JSON dialect of the other implementation.
func decodeKV(content []byte) (map[string]map[string]string, error) {
	strict, err := proto.Strict(content)
	if err != nil {
		return nil, err
	}
	var file struct {
		ConfigTable map[string]map[string]*string `json:"configTable"`
	}
	if err := json.Unmarshal(strict, &file); err != nil {
		return nil, err
	}
	table := map[string]map[string]string{}
	// order does not matter: one map is copied into another
	for namespace, entries := range file.ConfigTable {
		if plain := withoutNulls(entries); len(plain) > 0 {
			table[namespace] = plain
		}
	}
	return table, nil
}

func withoutNulls(entries map[string]*string) map[string]string {
	plain := make(map[string]string, len(entries))
	// order does not matter: one map is copied into another
	for key, value := range entries {
		if value != nil {
			plain[key] = *value
		}
	}
	return plain
}

// encodeKV writes the file, sorted by namespace and key.
func encodeKV(table map[string]map[string]string) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "\t")
	err := encoder.Encode(map[string]any{"configTable": table})
	return text.Bytes(), err
}

// get returns one value.
func (k *kvConfig) get(namespace, key string) (string, bool) {
	value, ok := k.table[namespace][key]
	return value, ok
}

// entries returns all values of a namespace, nil if there are none. The caller must not
// change the map.
func (k *kvConfig) entries(namespace string) map[string]string { return k.table[namespace] }

// put sets a value and waits until it is durable.
func (k *kvConfig) put(namespace, key, value string) error {
	if namespace == "" || key == "" {
		return fmt.Errorf("%w: namespace and key must not be empty", errKVUnusable)
	}
	for _, text := range []string{namespace, key, value} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%w: %.40q is not UTF-8", errKVUnusable, text)
		}
	}
	return k.change(func(table map[string]map[string]string) bool {
		if before, ok := table[namespace][key]; ok && before == value {
			return false
		}
		entries := maps.Clone(table[namespace])
		if entries == nil {
			entries = map[string]string{}
		}
		entries[key] = value
		table[namespace] = entries
		return true
	})
}

// delete removes a value, if it is there, and waits until that is durable.
func (k *kvConfig) delete(namespace, key string) error {
	return k.change(func(table map[string]map[string]string) bool {
		if _, ok := table[namespace][key]; !ok {
			return false
		}
		entries := maps.Clone(table[namespace])
		delete(entries, key)
		table[namespace] = entries
		if len(entries) == 0 {
			delete(table, namespace)
		}
		return true
	})
}

// change applies edit, which reports whether it changed anything, to a copy, and shows the copy once it is
// durable. After an error the change may or may not be there when the name server starts again.
func (k *kvConfig) change(edit func(table map[string]map[string]string) bool) error {
	k.writing.Acquire(nil, env.Never)
	defer k.writing.Release()
	next := maps.Clone(k.table)
	if !edit(next) && !k.inDoubt {
		return nil
	}
	if err := k.checkSize(next); err != nil {
		return err
	}
	content, err := encodeKV(next)
	if err == nil {
		err = replaceFile(k.env.Disk, k.path, content)
	}
	k.inDoubt = err != nil
	if err != nil {
		return fmt.Errorf("%w: %w", errKVFile, err)
	}
	k.table = next
	k.dropBackup()
	return nil
}

// dropBackup removes a backup that is older than what was written now: to fall back to
// it would bring deleted values to life.
func (k *kvConfig) dropBackup() {
	if !k.backup {
		return
	}
	k.backup = false
	if err := k.env.Disk.Remove(k.backupPath()); err != nil && !errors.Is(err, env.ErrNotExist) {
		k.env.Log.Warn("the old backup of the key-value config stays", zap.Error(err))
	}
}

func (k *kvConfig) checkSize(table map[string]map[string]string) error {
	count, size := kvSize(table)
	switch {
	case count > k.limits.KVEntries:
		return fmt.Errorf("%w: it would have %d keys, the limit is %d", errKVUnusable, count, k.limits.KVEntries)
	case size > k.limits.KVBytes:
		return fmt.Errorf("%w: it would have %d bytes, the limit is %d", errKVUnusable, size, k.limits.KVBytes)
	}
	return nil
}

// kvSize counts keys, and the bytes of namespaces, keys and values.
func kvSize(table map[string]map[string]string) (count, size int) {
	// order does not matter: sums
	for namespace, entries := range table {
		size += len(namespace)
		count += len(entries)
		// order does not matter: a sum
		for key, value := range entries {
			size += len(key) + len(value)
		}
	}
	return count, size
}
