package guard

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// plainState is one file of ACL 1.0 as it was read or written last.
type plainState struct {
	path    string
	content []byte
	file    access.PlainFile // with secrets as they are used
}

// plainPaths are the files of ACL 1.0: those of the directory acl, by name, and then the usual one.
func (g *Guard) plainPaths() ([]string, error) {
	entries, err := g.env.Disk.List(g.place.path(plainDir))
	if err != nil && !errors.Is(err, env.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		if !entry.IsDir && (strings.HasSuffix(entry.Name, ".yml") || strings.HasSuffix(entry.Name, ".yaml")) {
			paths = append(paths, path.Join(g.place.path(plainDir), entry.Name))
		}
	}
	return append(paths, g.place.path(plainFile)), nil
}

// loadPlain reads the files at the start.
func (g *Guard) loadPlain() error {
	states, err := g.readPlain()
	if err == nil {
		err = g.settlePlain(states)
	}
	if err != nil {
		return err
	}
	return g.takePlain(states)
}

// settlePlain makes durable what was read.
func (g *Guard) settlePlain(states []plainState) error {
	for i := range states {
		if err := settle(g.env.Disk, states[i].path); err != nil {
			return err
		}
	}
	return nil
}

// readPlain reads all files that are there.
func (g *Guard) readPlain() ([]plainState, error) {
	paths, err := g.plainPaths()
	if err != nil {
		return nil, err
	}
	var states []plainState
	for _, name := range paths {
		content, err := read(g.env.Disk, name)
		if errors.Is(err, env.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		states = append(states, plainState{path: name, content: content})
	}
	return states, nil
}

// takePlain lets files decide from now on. On an error nothing changes.
func (g *Guard) takePlain(states []plainState) error {
	var files []access.PlainFile
	for i := range states {
		file, err := access.ParsePlainFile(states[i].content)
		for j := range file.Accounts {
			if err == nil {
				file.Accounts[j].SecretKey, err = g.open(file.Accounts[j].AccessKey, file.Accounts[j].SecretKey)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", states[i].path, err)
		}
		states[i].file = file
		files = append(files, file)
	}
	plain, err := access.NewPlain(files...)
	if err != nil {
		return fmt.Errorf("accounts of ACL 1.0: %w", err)
	}
	for _, warning := range plain.Warnings() {
		g.env.Log.Warn("accounts of ACL 1.0: " + warning)
	}
	g.plain = states
	g.replaceRules(g.rules.Accounts, plain)
	return nil
}

// reloadPlain reads the files if one of them has changed, is new or is gone. That they cannot be read is said once.
func (g *Guard) reloadPlain() {
	states, err := g.readPlain()
	if err == nil && slices.EqualFunc(states, g.plain, samePlain) {
		g.unread = ""
		return
	}
	if err == nil {
		err = g.settlePlain(states)
	}
	if err == nil {
		err = g.takePlain(states)
	}
	if err != nil {
		if g.unread != err.Error() {
			g.env.Log.Error("files of ACL 1.0 cannot be read: accounts stay as they were", zap.Error(err))
		}
		g.unread = err.Error()
		return
	}
	g.unread = ""
	g.audit.Info("accounts of ACL 1.0 were read again, because their files have changed", zap.Stringer("accounts", g.rules.Plain))
	g.changed()
}

func samePlain(a, b plainState) bool { return a.path == b.path && bytes.Equal(a.content, b.content) }

// changePlain makes a change of one file durable: the one that choose names, which is made if it is not there. It waits for the disk.
func (g *Guard) changePlain(choose func(plainState) bool, change func(access.PlainFile) (access.PlainFile, error)) error {
	g.changing.Acquire(nil, env.Never)
	defer g.changing.Release()
	g.reloadPlain()
	if g.unread != "" {
		return errDamagedFile
	}
	states := slices.Clone(g.plain)
	at := slices.IndexFunc(states, choose)
	if at < 0 {
		at = slices.IndexFunc(states, func(s plainState) bool { return s.path == g.place.path(plainFile) })
	}
	if at < 0 {
		at = len(states)
		states = append(states, plainState{path: g.place.path(plainFile)})
	}
	file, err := change(states[at].file)
	if err != nil {
		return &refusedChange{err}
	}
	file.Version = file.Version.Next(int64(g.env.Clock.Wall()))
	if states[at].content, err = g.sealedPlain(file); err != nil {
		return err
	}
	if err := replace(g.env.Disk, states[at].path, states[at].content); err != nil {
		return err
	}
	if err := g.takePlain(states); err != nil {
		return err
	}
	g.changed()
	return nil
}

// sealedPlain is the text of a file, in which all secrets are sealed.
func (g *Guard) sealedPlain(file access.PlainFile) ([]byte, error) {
	if err := g.ready(true); err != nil {
		return nil, err
	}
	file.Accounts = slices.Clone(file.Accounts)
	for i := range file.Accounts {
		file.Accounts[i].SecretKey = g.seal(file.Accounts[i].AccessKey, file.Accounts[i].SecretKey)
	}
	return file.Marshal()
}
