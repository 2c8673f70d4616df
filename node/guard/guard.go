package guard

import (
	"fmt"

	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"go.uber.org/zap"
)

// Guard decides about the requests of one node.
type Guard struct {
	env     env.Env
	options Options
	place   Place
	rules   *access.Rules
	audit   *zap.Logger
	// generation counts the rules that have decided so far.
	generation uint64

	accounts accountsState
	plain    []plainState
	unread   string // why files of ACL 1.0 cannot be read now; "" if they can
	secrets  secrets

	changing *env.Semaphore // one change, or one look at the files, at a time
	wake     env.Cond
	closing  bool
}

// New checks the options and returns a guard. Until Load it lets through nothing, unless access control is off.
func New(e env.Env, options Options, place Place) (*Guard, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	if options.ReloadEvery <= 0 {
		options.ReloadEvery = reloadEvery
	}
	g := &Guard{
		env: e, options: options, place: place, audit: e.Log.Named("audit"),
		changing: env.NewSemaphore(e.Tasks, 1), wake: e.Tasks.NewCond(), secrets: secrets{random: e.Rand.Stream("secrets of accounts")},
	}
	g.replaceRules(nil, &access.Plain{})
	return g, nil
}

// replaceRules lets other accounts decide from now on.
func (g *Guard) replaceRules(accounts *access.Accounts, plain *access.Plain) {
	g.generation++
	g.rules = &access.Rules{
		Authentication: g.options.Authentication, ExemptFromAuthentication: g.options.ExemptFromAuthentication,
		Authorization: g.options.Authorization, ExemptFromAuthorization: g.options.ExemptFromAuthorization,
		Cluster: g.place.Cluster, Accounts: accounts,
	}
	if g.options.Plain {
		g.rules.Plain = plain
	}
}

// Open reports whether everybody may do everything.
func (g *Guard) Open() bool { return g.rules.Open() }

// String tells who decides.
func (g *Guard) String() string {
	switch {
	case g.options.Plain:
		return "access control by " + g.rules.Plain.String()
	case g.options.Authorization:
		return fmt.Sprintf("access control by %s", g.rules.Accounts)
	case g.options.Authentication:
		return fmt.Sprintf("signatures of %s", g.rules.Accounts)
	}
	return "access control is off"
}

// Load reads the accounts, and makes those that the options want. It waits for the disk. A file that cannot be read is an error: a node that started
// without it would deny or allow something else than its operator means.
func (g *Guard) Load() error {
	if err := g.loadAccounts(); err != nil {
		return err
	}
	if g.options.Plain || g.options.Migrate {
		if err := g.loadPlain(); err != nil {
			return err
		}
	}
	if err := g.seed(); err != nil {
		return err
	}
	if !g.Open() {
		g.env.Log.Info("access control is on", zap.Stringer("rules", g))
	}
	return nil
}

// seed makes the users that the options want, and those of ACL 1.0, unless they are there.
func (g *Guard) seed() error {
	next, changed := g.rules.Accounts, false
	inner := access.User{Name: g.options.Inner.AccessKey, Password: g.options.Inner.SecretKey}
	for _, user := range []access.User{g.options.InitialUser, inner} {
		if user.Name == "" || g.options.Plain {
			continue
		}
		user.Super = true
		known, found := next.User(user.Name)
		if found {
			g.compareInner(known, user)
			continue
		}
		var err error
		if next, err = next.WithNewUser(user); err != nil {
			return err
		}
		changed = true
		g.audit.Info("a super user was made, as the configuration says", zap.String("user", user.Name))
	}
	if g.options.Migrate {
		migrated, moved, err := g.migrate(next)
		if err != nil {
			return err
		}
		next, changed = migrated, changed || moved
	}
	if !changed {
		return nil
	}
	return g.saveAccounts(next)
}

// compareInner warns of servers that would not be let in with what the configuration says.
func (g *Guard) compareInner(known, wanted access.User) {
	if wanted.Name == g.options.Inner.AccessKey && (known.Password != wanted.Password || !known.Super || known.Disabled) {
		g.env.Log.Warn("the user of innerClientAuthenticationCredentials is there with another password, or without the rights of a super user: "+
			"change the user, or the configuration", zap.String("user", known.Name))
	}
}

func (g *Guard) migrate(accounts *access.Accounts) (*access.Accounts, bool, error) {
	var all []string
	for i := range g.plain {
		next, moved, err := accounts.Migrate(g.plain[i].file)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", g.plain[i].path, err)
		}
		accounts, all = next, append(all, moved...)
	}
	if len(all) > 0 {
		g.audit.Info("users were made of accounts of ACL 1.0", zap.Strings("users", all))
	}
	return accounts, len(all) > 0, nil
}

// Start begins to look at the files now and then, in a task of a group. It does nothing if access control is off.
func (g *Guard) Start(tasks *env.Group) {
	if !g.Open() {
		tasks.Go("watch accounts", g.watch)
	}
}

// Close ends the task of Start.
func (g *Guard) Close() {
	g.closing = true
	g.wake.Broadcast()
}

func (g *Guard) watch() {
	for {
		due := g.env.Clock.Now().Add(g.options.ReloadEvery)
		for !g.closing && g.wake.WaitUntil(due) {
		}
		if g.closing {
			return
		}
		g.changing.Acquire(nil, env.Never)
		g.reload()
		g.changing.Release()
	}
}

// reload reads files that have changed. It waits; the caller has the changes to itself.
func (g *Guard) reload() {
	if err := g.reloadAccounts(); err != nil {
		g.env.Log.Warn("the file of users has changed, and cannot be made durable: the users stay as they were, and it is tried again", zap.Error(err))
	}
	if g.options.Plain {
		g.reloadPlain()
	}
}

// changed tells who wants to know that rules have changed.
func (g *Guard) changed() {
	if g.place.Changed != nil {
		g.place.Changed()
	}
}
