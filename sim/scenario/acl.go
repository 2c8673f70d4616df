package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/access"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/node/guard"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/sim/fault"
	"github.com/gantrymq/gantry/store"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
)

var aclScenario = Scenario{
	Name:  "acl",
	About: "accounts with drawn rights send, pull, commit, make topics and groups and end transactions, with the library and by forged requests, while administrators change users and rights and all faults happen",
	Marks: []string{
		"allowed", "denied", "allowed while rights change", "denied while rights change", "without an answer", "stored", "pulled", "committed", "a topic was made", "a group was made",
		"a rule was put", "a rule was taken away", "rights were taken away", "a user was deleted", "a user was made", "a user was disabled", "a user was enabled", "a password was changed",
		"a change was refused", "a change without an answer", "a file was edited", "a forgery was refused", "an old password was refused", "sent without an answer wanted",
		"a transaction was ended", "a transaction of others was not ended", "a dead letter", "a message was seen by its place", "pushed", "a pull outlived its rights", "a heartbeat made a group", "a route was told", "rights compared after a loss of power",
	},
	secret: aclSecret,
	run:    runACL,
}

// aclRun is the state of one run.
type aclRun struct {
	*pubsub
	reload   time.Duration
	accounts []string
	// logs are the accounts of each node, by its name.
	logs    map[string]map[string]*accountLog
	workers []*aclWorker
	offices []env.Env // of administrators, one for each broker
	changes time.Duration
	deeds   aclDeeds
	root    *client.Admin // of the observer
}

const (
	aclRoot  = "root"
	aclInner = "servers"
	// aclPushGroup has no other members than those that consumers of the library push to.
	aclPushGroup = "crew2"
)

var (
	aclTopics = []string{"topic0", "topic1"}
	aclGroups = []string{"crew0", "crew1", aclPushGroup}
)

func runACL(r *run) {
	a := &aclRun{pubsub: &pubsub{run: r}, logs: map[string]map[string]*accountLog{}, deeds: newACLDeeds()}
	a.build()
	a.cluster.Start()
	if !a.until("start", time.Minute, a.allReady) {
		a.failLiveness("the cluster did not start: %v", a.notReady())
		return
	}
	if !a.task("set up", time.Minute, a.setUp) {
		return
	}
	for _, w := range a.workers {
		w.start()
	}
	for i, n := range a.cluster.Brokers {
		a.busy++
		a.offices[i].Tasks.Go("administer", func() {
			a.administer(a.offices[i], n, a.kernel.Stream("administrator of "+n.String()))
			a.busy--
		})
	}
	a.injector.Run(a.Schedule)
	a.until("safety", a.work.for_, func() bool { return false })
	a.stopped = true
	a.injector.Heal()
	if a.kernel.Failure() == nil {
		a.demandRights()
	}
	a.Faults = a.injector.Log
	for _, n := range a.cluster.Brokers {
		if a.kernel.Failure() == nil {
			a.checkFiles(n)
		}
	}
}

// build draws the options and sets the machines up.
func (a *aclRun) build() {
	d := a.draw
	a.work = workload{
		queuesPerTopic: int(d.number("queues of a topic", 1, 2)),
		for_:           d.duration("safety phase", 3*time.Second, 25*time.Second),
		think:          d.duration("think time", 10*time.Millisecond, 300*time.Millisecond),
		bodyMax:        d.number("largest body", 0, 30_000),
		hold:           d.duration("hold of pulls", 0, 8*time.Second),
	}
	a.topics, a.changes = aclTopics, d.duration("time between changes", 50*time.Millisecond, 2*time.Second)
	a.reload = d.duration("files looked at every", 100*time.Millisecond, 5*time.Second)
	for i := range d.number("accounts", 1, 4) {
		a.accounts = append(a.accounts, fmt.Sprintf("acc%d", i))
	}
	options, _ := a.brokerOptions()
	options.Store.Flush, options.Store.BodySizeMax = store.SyncFlush, 32<<10
	options.Store.LogSegmentSize += 100 << 10
	options.Access = a.guardOptions()
	a.storeOptions = options.Store
	config := cluster.Config{NameServers: 2, Brokers: 2, Broker: options}
	config.NameServer.Access = a.guardOptions()
	a.cluster = cluster.New(a.kernel, config)
	links := sim.DefaultLinks()
	links.Pieces, links.Loss = d.share("writes in pieces", 0.5), d.share("loss", 0.02)
	a.kernel.Network().SetLinks(links)
	machines := a.addWorkers(int(d.number("workers", 1, 3)), int(d.number("forgers", 1, 2)), int(d.number("listeners", 0, 2)))
	for range a.cluster.Brokers {
		machine, e := a.cluster.AddClient()
		a.offices, machines = append(a.offices, e), append(machines, machine)
	}
	a.observer = a.kernel.AddMachine("observer", observerAddress).Boot("observer")
	a.injector = fault.NewInjector(a.cluster, machines, a.observer, links, sim.DefaultDisk())
	a.Schedule = fault.Draw(a.kernel.Stream("schedule of faults"), fault.Options{
		Kinds: a.faultKinds(store.SyncFlush), Every: d.duration("time between faults", 200*time.Millisecond, 4*time.Second), Within: a.work.for_, Drop: a.options.Drop,
	})
}

// guardOptions are those of all nodes.
func (a *aclRun) guardOptions() guard.Options {
	return guard.Options{
		Authentication: true, Authorization: true, ReloadEvery: a.reload,
		InitialUser: access.User{Name: aclRoot, Password: aclPassword(aclRoot, 0)},
		Inner:       signature.Credentials{AccessKey: aclInner, SecretKey: aclPassword(aclInner, 0)},
	}
}

// as signs what a client of the library sends.
func as(account string) client.Option {
	return client.WithCredentials(account, aclPassword(account, 0))
}

// task runs something on the observer's machine, and reports whether it came to its end without a failure.
func (a *aclRun) task(name string, limit time.Duration, do func() error) bool {
	done, err := false, error(nil)
	a.observer.Tasks.Go(name, func() {
		err = do()
		done = true
	})
	if !a.until(name, limit, func() bool { return done }) && a.kernel.Failure() == nil {
		a.failLiveness("%s: it does not end within %s", name, limit)
	}
	if err != nil {
		a.failLiveness("%s: %v", name, err)
	}
	return a.kernel.Failure() == nil
}

// setUp makes topics, groups and accounts, before any fault. At the name servers every account may see every route, for good.
func (a *aclRun) setUp() error {
	ctx := context.Background()
	var err error
	if a.root, err = client.NewAdmin(a.observer, client.WithNameServers(a.cluster.NameServerAddresses()...), as(aclRoot), client.WithRequestTimeout(5*time.Second)); err != nil {
		return err
	}
	sees := standing{exists: true}
	for i, resource := range ruledResources {
		if resource == "Topic:*" || resource == "Group:*" {
			sees.rules[0][i] = ruleGet
		}
	}
	for _, account := range a.accounts {
		for _, n := range a.cluster.NameServers {
			if err := a.beginAccount(ctx, n, account, sees); err != nil {
				return err
			}
		}
		for _, n := range a.cluster.Brokers {
			if err := a.beginAccount(ctx, n, account, drawStanding(a.kernel.Stream("first rights of "+account+" at "+n.String()))); err != nil {
				return err
			}
		}
	}
	for _, n := range a.cluster.Brokers {
		for _, group := range aclGroups {
			config := proto.NewSubscriptionGroupConfig(group)
			if err := a.root.UpdateGroup(ctx, addressOf(n), config); err != nil {
				return err
			}
		}
		for _, topic := range aclTopics {
			if err := a.makeTopic(ctx, n, topic); err != nil {
				return err
			}
		}
	}
	return a.awaitRoutes(ctx)
}

// beginAccount makes an account at a node, as it is at first.
func (a *aclRun) beginAccount(ctx context.Context, n *cluster.Node, account string, s standing) error {
	address := a.addressFor(n)
	if err := a.root.CreateUser(ctx, address, client.UserInfo{Username: account, Password: aclPassword(account, 0)}); err != nil {
		return err
	}
	if s.hasACL() {
		if err := a.root.CreateACL(ctx, address, s.info(account)); err != nil {
			return err
		}
	}
	if s.disabled {
		if err := a.root.UpdateUser(ctx, address, client.UserInfo{Username: account, Status: proto.UserDisabled}); err != nil {
			return err
		}
	}
	if a.logs[n.String()] == nil {
		a.logs[n.String()] = map[string]*accountLog{}
	}
	a.logs[n.String()][account] = newAccountLog(s)
	return nil
}

func (a *aclRun) makeTopic(ctx context.Context, n *cluster.Node, topic string) error {
	queues := int32(a.work.queuesPerTopic)
	for id := range queues {
		a.queues = append(a.queues, client.Queue{Topic: topic, BrokerName: n.String(), QueueID: id})
	}
	return a.root.UpdateTopic(ctx, addressOf(n), client.TopicConfig{Name: topic, ReadQueues: queues, WriteQueues: queues, Perm: permReadWrite})
}

// awaitRoutes waits until the name servers know the topics.
func (a *aclRun) awaitRoutes(ctx context.Context) error {
	for _, topic := range aclTopics {
		for {
			route, err := a.root.Route(ctx, topic)
			if err == nil && len(route.Brokers) == len(a.cluster.Brokers) {
				break
			}
			a.observer.Tasks.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}
