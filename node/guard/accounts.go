package guard

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// accountsState is what is known of the file of users.
type accountsState struct {
	content []byte // as it was read or written last; nil: there was none
	refused []byte // content that could not be read
}

// loadAccounts reads the file of users at the start.
func (g *Guard) loadAccounts() error {
	content, err := read(g.env.Disk, g.place.path(accountsFile))
	if errors.Is(err, env.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = settle(g.env.Disk, g.place.path(accountsFile))
	}
	if err == nil {
		err = g.takeAccounts(content)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", g.place.path(accountsFile), err)
	}
	return nil
}

// takeAccounts lets the content of a file decide from now on. Passwords that people have written into it are sealed.
func (g *Guard) takeAccounts(content []byte) error {
	accounts, plain, err := access.ParseAccounts(content, g.open)
	if err != nil {
		return err
	}
	if plain {
		return g.saveAccounts(accounts)
	}
	g.accounts.content = content
	g.replaceRules(accounts, g.rules.Plain)
	return nil
}

// reloadAccounts reads the file of users if it has changed. One that cannot be read is said once, and one that is gone as well. The error is
// that it cannot be made durable: then nobody is decided by it, and it is read again.
func (g *Guard) reloadAccounts() error {
	content, err := read(g.env.Disk, g.place.path(accountsFile))
	gone := errors.Is(err, env.ErrNotExist)
	if gone && g.accounts.content == nil || err == nil && bytes.Equal(content, g.accounts.content) {
		g.accounts.refused = nil
		return nil
	}
	if gone {
		content = []byte("(none)")
	}
	if g.accounts.refused != nil && bytes.Equal(content, g.accounts.refused) {
		return nil
	}
	if err == nil {
		if err := settle(g.env.Disk, g.place.path(accountsFile)); err != nil {
			return err
		}
		err = g.takeAccounts(content)
	}
	if err != nil {
		g.accounts.refused = content
		g.env.Log.Error("the file of users cannot be read: the users stay as they were", zap.String("file", g.place.path(accountsFile)), zap.Error(err))
		return nil
	}
	g.accounts.refused = nil
	g.audit.Info("users were read again, because their file has changed", zap.Stringer("accounts", g.rules.Accounts))
	g.changed()
	return nil
}

// saveAccounts makes accounts durable and then lets them decide. It waits for the disk.
func (g *Guard) saveAccounts(accounts *access.Accounts) error {
	if err := g.ready(true); err != nil {
		return err
	}
	content := accounts.Marshal(g.seal)
	if err := replace(g.env.Disk, g.place.path(accountsFile), content); err != nil {
		return err
	}
	g.accounts.content = content
	g.replaceRules(accounts, g.rules.Plain)
	g.changed()
	return nil
}

// changeAccounts makes a change durable. It waits for the disk. What people have changed in the file meanwhile stays.
func (g *Guard) changeAccounts(change func(*access.Accounts) (*access.Accounts, error)) error {
	g.changing.Acquire(nil, env.Never)
	defer g.changing.Release()
	if err := g.reloadAccounts(); err != nil {
		return err
	}
	if g.accounts.refused != nil {
		return errDamagedFile
	}
	next, err := change(g.rules.Accounts)
	if err != nil {
		return &refusedChange{err}
	}
	return g.saveAccounts(next)
}

var errDamagedFile = errors.New("nothing was changed, because the file of accounts cannot be read: see the log of this node")

// refusedChange is a change that was not made because it makes no sense.
type refusedChange struct{ error }

// Unwrap returns why.
func (r *refusedChange) Unwrap() error { return r.error }
