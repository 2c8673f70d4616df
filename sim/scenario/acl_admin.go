package scenario

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about administrators, of whom each broker has one. They change accounts one change after the other, and edit the file.

// aclChange is something that an administrator asks for.
type aclChange struct {
	mark   string
	change accountChange
	ask    func(admin *client.Admin, address string) error
}

// administer is the task of one of them.
func (a *aclRun) administer(e env.Env, n *cluster.Node, random *sim.Stream) {
	admin, err := client.NewAdmin(e, client.WithNameServers(a.cluster.NameServerAddresses()...), as(aclRoot), client.WithRequestTimeout(2*time.Second))
	if err != nil {
		a.failSafety("an administrator's client could not be made: %v", err)
		return
	}
	for !a.stopped {
		account := a.accounts[random.IntN(len(a.accounts))]
		if random.Chance(0.1) {
			a.editFile(e, n)
		} else {
			a.carryOut(admin, n, account, a.drawChange(account, random))
		}
		e.Tasks.Sleep(time.Duration(random.Between(0, 2*int64(a.changes))))
	}
}

// carryOut asks for a change and notes what came of it.
func (a *aclRun) carryOut(admin *client.Admin, n *cluster.Node, account string, c aclChange) {
	a.Operations++
	log := a.logs[n.String()][account]
	log.begin(a.kernel.Now(), process(n), c.change)
	err := c.ask(admin, addressOf(n))
	outcome := outcomeOf(err)
	a.kernel.Note("%s at %s: %s: %v", account, n, c.mark, err)
	if !log.end(a.kernel.Now(), process(n), c.change, outcome) {
		a.failSafety("%s: %s at %s was answered with %v, which cannot be: it was one of %+v", account, c.mark, n, err, log.now())
		return
	}
	switch outcome {
	case changeMade:
		a.kernel.Mark(c.mark)
		a.injector.Acknowledged(n.String())
	case changeRefused:
		a.kernel.Mark("a change was refused")
	case changeUnknown:
		a.kernel.Mark("a change without an answer")
	}
}

// process tells processes of a node apart.
func process(n *cluster.Node) *broker.Broker { return n.Broker() }

func outcomeOf(err error) changeOutcome {
	var refused *client.ResponseError
	switch {
	case err == nil:
		return changeMade
	case errors.As(err, &refused) && refused.Code == proto.RespNoPermission:
		return changeRefused
	case errors.Is(err, client.ErrNotSent):
		return changeNotSent
	}
	return changeUnknown
}

// drawChange chooses one. Those that give rights are more frequent than those that take all.
func (a *aclRun) drawChange(account string, random *sim.Stream) aclChange {
	switch n := random.IntN(20); {
	case n < 8:
		return putRules(account, random)
	case n < 10:
		return dropRule(account, random)
	case n < 11:
		return dropRules(account)
	case n < 12:
		return deleteUser(account)
	case n < 15:
		return createUser(account)
	case n < 17:
		return changeUser(account, "a user was enabled", client.UserInfo{Status: proto.UserEnabled}, func(s *standing) { s.disabled = false })
	case n < 18:
		return changeUser(account, "a user was disabled", client.UserInfo{Status: proto.UserDisabled}, func(s *standing) { s.disabled = true })
	}
	number := random.IntN(aclPasswords)
	if random.Chance(0.5) {
		number = 0 // which those with the library have
	}
	return changeUser(account, "a password was changed", client.UserInfo{Password: aclPassword(account, number)}, func(s *standing) { s.password = number })
}

// putRules adds entries for some resources, or replaces them.
func putRules(account string, random *sim.Stream) aclChange {
	var put standing
	for range 1 + random.IntN(3) {
		i := random.IntN(len(ruledResources))
		put.rules[random.IntN(len(ruledPolicies))][i] = drawRule(random, ruledResources[i])
	}
	update := random.Chance(0.5)
	return aclChange{"a rule was put", func(s standing) (standing, bool) {
		for p := range put.rules {
			for i, rule := range put.rules[p] {
				if rule != 0 {
					s.rules[p][i] = rule
				}
			}
		}
		return s, s.exists
	}, func(admin *client.Admin, address string) error {
		if update {
			return admin.UpdateACL(context.Background(), address, put.info(account))
		}
		return admin.CreateACL(context.Background(), address, put.info(account))
	}}
}

// dropRule takes the entry of one resource away, if there is one.
func dropRule(account string, random *sim.Stream) aclChange {
	p, i := random.IntN(len(ruledPolicies)), random.IntN(len(ruledResources))
	return aclChange{"a rule was taken away", func(s standing) (standing, bool) {
		made := s.exists && s.hasACL()
		s.rules[p][i] = 0
		return s, made
	}, func(admin *client.Admin, address string) error {
		return admin.DeleteACL(context.Background(), address, proto.SubjectUser+account, ruledPolicies[p], ruledResources[i])
	}}
}

func dropRules(account string) aclChange {
	return aclChange{"rights were taken away", func(s standing) (standing, bool) {
		made := s.exists && s.hasACL()
		s.rules = standing{}.rules
		return s, made
	}, func(admin *client.Admin, address string) error {
		return admin.DeleteACL(context.Background(), address, proto.SubjectUser+account, "", "")
	}}
}

func deleteUser(account string) aclChange {
	return aclChange{"a user was deleted", func(standing) (standing, bool) { return standing{}, true },
		func(admin *client.Admin, address string) error {
			return admin.DeleteUser(context.Background(), address, account)
		}}
}

func createUser(account string) aclChange {
	return aclChange{"a user was made", func(s standing) (standing, bool) { return standing{exists: true}, !s.exists },
		func(admin *client.Admin, address string) error {
			return admin.CreateUser(context.Background(), address, client.UserInfo{Username: account, Password: aclPassword(account, 0)})
		}}
}

func changeUser(account, mark string, info client.UserInfo, change func(*standing)) aclChange {
	info.Username = account
	return aclChange{mark, func(s standing) (standing, bool) {
		change(&s)
		return s, s.exists
	}, func(admin *client.Admin, address string) error {
		return admin.UpdateUser(context.Background(), address, info)
	}}
}

// aclFile is where brokers keep accounts.
const aclFile = "config/auth/accounts.json"

// editFile writes the file of accounts anew with the same meaning, as people may, and waits until it is done or the broker is dead. While a change may be under
// way nobody edits the file.
func (a *aclRun) editFile(e env.Env, n *cluster.Node) {
	running := n.Broker()
	if running == nil {
		return
	}
	// order does not matter: each is looked at alone
	for _, log := range a.logs[n.String()] {
		if len(log.pending) > 0 {
			return
		}
	}
	done := false
	editor := n.Machine.Node("editor", ".")
	editor.Tasks.Go("edit", func() {
		if rewrite(editor.Disk) == nil {
			a.kernel.Mark("a file was edited")
		}
		done = true
	})
	for !done && n.Broker() == running {
		e.Tasks.Sleep(20 * time.Millisecond)
	}
}

// rewrite adds a blank line to the file of accounts.
func rewrite(disk env.Disk) error {
	old, err := disk.Open(aclFile)
	if err != nil {
		return err
	}
	content := make([]byte, old.Size())
	_, err = old.ReadAt(content, 0)
	if err = errors.Join(err, old.Close()); err != nil {
		return err
	}
	fresh := aclFile + ".edited"
	if err := disk.Remove(fresh); err != nil && !errors.Is(err, env.ErrNotExist) {
		return err
	}
	file, err := disk.Create(fresh)
	if err != nil {
		return err
	}
	content = append(slices.Clone(content), '\n')
	err = errors.Join(file.WriteAt(content, 0), file.Sync(0, int64(len(content))))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return errors.Join(disk.Rename(fresh, aclFile), disk.SyncDir(path.Dir(aclFile)))
}
