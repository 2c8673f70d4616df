package broker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/replica"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/store/segment"
)

// identityFile says which broker of its group this directory belongs to (brokerIdentity): <cluster>#<brokerName>#<id>. While an id is applied for it stands with a
// code that only this broker knows in brokerIdentity-temp: <cluster>#<brokerName>#<id>#<code>.
type identityFile struct {
	id   int64  // 0: it has none
	code string // of the application for it, "" once it has one
}

const (
	identityPath = "brokerIdentity"
	identityTemp = "brokerIdentity-temp"
	startsPath   = "memberStarts.json"
	startsName   = "starts"
)

// startsFile counts the starts of this broker, Gantry's own.
type startsFile struct {
	count int64
	async bool // the last start flushed asynchronously
}

type startsDocument struct {
	Count int64 `json:"count"`
	Async bool  `json:"async"`
}

// load reads who this broker is, and counts this start.
func (m *Member) load() error {
	if err := m.loadIdentity(); err != nil {
		return err
	}
	async := m.options.Store.Flush == store.AsyncFlush
	before := startsDocument{Async: async}
	if err := segment.ReadDocument(m.env.Disk, startsPath, startsName, 4096, &before); err != nil {
		return fmt.Errorf("%s counts the starts of this broker: %w", startsPath, err)
	}
	clean, err := absent(m.env.Disk, "abort")
	if err != nil {
		return err
	}
	m.whole = clean || !before.Async
	m.starts.async = async
	return m.countStart(before.Count)
}

// countStart makes a new start durable. A directory that was put back from a copy must not count what was counted: the calendar goes on.
func (m *Member) countStart(before int64) error {
	count := max(before+1, int64(m.env.Clock.Wall()))
	if _, err := segment.WriteDocument(m.env.Disk, startsPath, startsName, startsDocument{count, m.starts.async}); err != nil {
		return err
	}
	m.starts.count = count
	return nil
}

func absent(disk env.Disk, name string) (bool, error) {
	f, err := disk.Open(name)
	if errors.Is(err, env.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}

// refuseMember keeps a broker whose role is configured out of the directory of one whose role controllers decide: it would take messages that the
// group does not know of.
func (b *Broker) refuseMember() error {
	if b.options.Election != nil {
		return nil
	}
	content, err := readWhole(b.env.Disk, identityPath)
	if err != nil || len(content) == 0 {
		return err
	}
	return fmt.Errorf("%s: this is the directory of %s (cluster#brokerName#id), whose role controllers decide: set enableControllerMode=true and controllerAddr; "+
		"to take it out of its group for good, remove this file", identityPath, content)
}

func (m *Member) loadIdentity() error {
	for _, name := range []string{identityPath, identityTemp} {
		content, err := readWhole(m.env.Disk, name)
		if err != nil {
			return err
		}
		if len(content) == 0 {
			continue
		}
		identity, err := m.parseIdentity(string(content))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.identity = identity
		return nil
	}
	return nil
}

// CheckMember looks at the files that a broker keeps beside its store whose role controllers decide, and tells what is damaged in them, which no repair mends.
// A directory of any other broker has none.
func CheckMember(disk env.Disk) (damage []string, err error) {
	// order does not matter: what is found is sorted
	for name, check := range map[string]func(content []byte) error{
		replica.EpochFile: func(content []byte) error { _, err := replica.DecodeEpochFile(content); return epochsDamaged(err) },
		identityPath:      func(content []byte) error { _, _, err := splitIdentity(string(content)); return err },
	} {
		content, err := readWhole(disk, name)
		if err != nil {
			return nil, err
		}
		if len(content) == 0 {
			continue
		}
		if err := check(content); err != nil {
			damage = append(damage, fmt.Sprintf("%s: %v", name, err))
		}
	}
	slices.Sort(damage)
	return damage, nil
}

// epochsDamaged says what to do about a damaged file of epochs.
func epochsDamaged(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: if this broker is not the only one of its group that has its messages, empty its directory, and it copies them from the master", err)
}

// splitIdentity reads cluster, name and id, and a code if there is one.
func splitIdentity(text string) (parts []string, id int64, err error) {
	parts = strings.SplitN(strings.TrimSpace(text), "#", 4)
	if len(parts) < 3 {
		return nil, 0, errors.New("want cluster#brokerName#id: this is not a broker's directory, or the file is damaged: write it anew, with the id that getSyncStateSet shows for this broker")
	}
	id, err = strconv.ParseInt(parts[2], 10, 64)
	if err != nil || id < 1 {
		return nil, 0, fmt.Errorf("the id %q is not a number from 1 on: write the one that getSyncStateSet shows for this broker", parts[2])
	}
	return parts, id, nil
}

func (m *Member) parseIdentity(text string) (identityFile, error) {
	parts, id, err := splitIdentity(text)
	switch {
	case err != nil:
		return identityFile{}, err
	case parts[0] != m.options.Cluster || parts[1] != m.options.Name:
		return identityFile{}, fmt.Errorf("the directory belongs to broker %s of cluster %s, and this is to be %s of %s: set brokerName and brokerClusterName, or another storePathRootDir", parts[1], parts[0], m.options.Name, m.options.Cluster)
	}
	identity := identityFile{id: id}
	if len(parts) == 4 {
		identity.code = parts[3]
	}
	return identity, nil
}

// saveIdentity makes the id durable: the one that is applied for with its code.
func (m *Member) saveIdentity(identity identityFile) error {
	text := fmt.Sprintf("%s#%s#%d", m.options.Cluster, m.options.Name, identity.id)
	if identity.code != "" {
		_, err := segment.ReplaceFile(m.env.Disk, identityTemp, []byte(text+"#"+identity.code))
		return err
	}
	if _, err := segment.ReplaceFile(m.env.Disk, identityPath, []byte(text)); err != nil {
		return err
	}
	if err := m.env.Disk.Remove(identityTemp); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	return nil
}

// portOf is the port of host:port.
func portOf(listen string) string { return listen[strings.LastIndexByte(listen, ':')+1:] }

// cutPort is the host of host:port.
func cutPort(listen string) (host string, ok bool) {
	i := strings.LastIndexByte(listen, ':')
	if i < 0 {
		return "", false
	}
	return listen[:i], true
}
