package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about a world in which nothing is broken any more and nobody changes accounts.

// aclSettle is how long requests that nobody waits for may be under way yet.
const aclSettle = 15 * time.Second

// demandRights: accounts are as acknowledged, also after a loss of power, and may do what they may and nothing else; and what is stored is what was allowed.
func (a *aclRun) demandRights() {
	if !a.until("restart", restartWithin, func() bool {
		a.restartFenced()
		return a.allReady() && a.injector.Over()
	}) {
		a.failLiveness("after everything healed, nodes do not run within %s: %v", restartWithin, a.notReady())
		return
	}
	if !a.until("settle", settleWithin, func() bool { return a.busy == 0 }) {
		a.failLiveness("after everything healed, %d clients do not end their last operation within %s", a.busy, settleWithin)
		return
	}
	_ = a.task("compare accounts", serveWithin, func() error {
		a.observer.Tasks.Sleep(aclSettle + 2*a.reload)
		for _, n := range a.cluster.Brokers {
			a.killInAChange(n)
		}
		return a.compareAccounts()
	}) && a.losePower() && a.task("compare accounts again", serveWithin, a.compareAccounts) &&
		a.task("ask for all that may be done", serveWithin, a.demandEverything) && a.task("read all", serveWithin, a.readEverything)
}

// killInAChange kills the process of a broker while it changes an account. Whatever it has done by then, the next process must know once and for all.
func (a *aclRun) killInAChange(n *cluster.Node) {
	random := a.kernel.Stream("last change at " + n.String())
	account, over := a.accounts[random.IntN(len(a.accounts))], false
	a.observer.Tasks.Go("last change", func() {
		a.carryOut(a.root, n, account, a.drawChange(account, random))
		over = true
	})
	a.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(4*time.Millisecond))))
	n.Crash(sim.KillProcess)
	n.Start()
	for !over || !n.Ready() {
		a.observer.Tasks.Sleep(20 * time.Millisecond)
	}
}

// losePower takes the power from all nodes, and gives it back.
func (a *aclRun) losePower() bool {
	for _, n := range a.cluster.Nodes() {
		n.Crash(sim.PowerLoss)
	}
	a.cluster.Start()
	a.kernel.Mark("rights compared after a loss of power")
	if !a.until("restart", restartWithin, a.allReady) {
		a.failLiveness("after a loss of power, nodes do not run within %s: %v", restartWithin, a.notReady())
		return false
	}
	return true
}

// compareAccounts reads the accounts of all nodes. What a node says is what it said before.
func (a *aclRun) compareAccounts() error {
	for _, n := range a.cluster.Nodes() {
		for _, account := range a.accounts {
			var s standing
			if err := a.insist(func() (err error) { s, err = a.read(n, account); return err }); err != nil {
				return err
			}
			log := a.logs[n.String()][account]
			if may := log.now(); !log.known(a.kernel.Now(), s) {
				a.failSafety("%s at %s is %+v, and would have to be one of %+v", account, n, s, may)
			}
		}
		if err := a.insist(func() error { return a.compareNames(n) }); err != nil {
			return err
		}
	}
	return nil
}

// insist tries until something succeeds.
func (a *aclRun) insist(do func() error) error {
	deadline := a.observer.Clock.Now().Add(serveWithin / 2)
	for {
		err := do()
		if err == nil || deadline.Reached(a.observer.Clock.Now()) {
			return err
		}
		a.observer.Tasks.Sleep(200 * time.Millisecond)
	}
}

func (a *aclRun) read(n *cluster.Node, account string) (standing, error) {
	user, found, err := a.root.User(context.Background(), a.addressFor(n), account)
	if err != nil {
		return standing{}, err
	}
	var acl client.ACLInfo
	if found {
		if acl, _, err = a.root.ACL(context.Background(), a.addressFor(n), proto.SubjectUser+account); err != nil {
			return standing{}, err
		}
	}
	return readStanding(user, found, acl)
}

// compareNames looks for users that nobody has made.
func (a *aclRun) compareNames(n *cluster.Node) error {
	users, err := a.root.Users(context.Background(), a.addressFor(n), "")
	for _, user := range users {
		if !slices.Contains(append([]string{aclRoot, aclInner}, a.accounts...), user.Username) {
			a.failSafety("at %s there is a user %s, whom no administrator has made", n, user.Username)
		}
	}
	return err
}

// demandEverything sends and pulls in the name of every account, and demands the answer that its rights give.
func (a *aclRun) demandEverything() error {
	w := &aclWorker{a: a, name: "probe 0", env: a.observer, random: a.kernel.Stream("probe"), raw: newRawClient(a.observer)}
	for _, n := range a.cluster.Brokers {
		for _, account := range a.accounts {
			for _, topic := range aclTopics {
				if err := a.insist(func() error { return w.probeSend(n, account, topic) }); err != nil {
					return err
				}
			}
			for _, group := range aclGroups {
				if err := a.insist(func() error { return w.probePull(n, account, group) }); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

var errNoWord = errors.New("nothing is broken, and a request is answered neither with a denial nor with success")

func (w *aclWorker) probeSend(n *cluster.Node, account, topic string) error {
	password := w.a.logs[n.String()][account].now()[0].password
	m := w.message(n, account, password, topic, topicWish(topic, rulePub))
	code, fields := w.sendFields(client.Queue{Topic: topic}, topic, "")
	return w.probe(&m.aclDeed, code, fields, m.body)
}

func (w *aclWorker) probePull(n *cluster.Node, account, group string) error {
	password := w.a.logs[n.String()][account].now()[0].password
	d := w.a.deed("a pull", n, account, password, topicWish(aclTopics[0], ruleSub), groupWish(group, ruleSub))
	return w.probe(&d, proto.ReqPullMessage, map[string]string{
		"consumerGroup": group, "topic": aclTopics[0], "queueId": "0", "queueOffset": "0", "maxMsgNums": "1", "sysFlag": "4", "commitOffset": "0",
		"suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "0", "expressionType": "TAG",
	}, nil)
}

// probe sends a request as it should be.
func (w *aclWorker) probe(d *aclDeed, code int32, fields map[string]string, body []byte) error {
	sign(fields, body, d.account, aclPassword(d.account, d.password))
	answer := w.raw.call(addressOf(d.node), code, fields, body)
	switch {
	case answer == nil:
		return fmt.Errorf("%w: %v", errNoWord, d)
	case deniedBy(int32(answer.Code), answer.Remark):
		w.a.answered(d, aclDenied)
	case slices.Contains([]int32{proto.RespSuccess, proto.RespPullNotFound, proto.RespPullRetryImmediately, proto.RespPullOffsetMoved}, int32(answer.Code)):
		w.a.answered(d, aclAllowed)
	default:
		return fmt.Errorf("%w: %v: %v", errNoWord, d, answer)
	}
	return nil
}

// readEverything compares what brokers have with what was allowed.
func (a *aclRun) readEverything() error {
	names := client.WithNameServers(a.cluster.NameServerAddresses()...)
	consumer, err := client.NewPullConsumer(a.observer, names, as(aclRoot), client.WithGroup("auditors"), client.WithHold(100*time.Millisecond), client.WithPullTimeout(5*time.Second))
	if err != nil {
		return err
	}
	inTopics := map[*aclMessage]bool{}
	for _, n := range a.cluster.Brokers {
		var topics []client.TopicConfig
		if err := a.insist(func() (err error) { topics, err = a.root.TopicsAt(context.Background(), addressOf(n)); return err }); err != nil {
			return err
		}
		for _, topic := range topics {
			a.compareMade(n, "topic", topic.Name)
			switch {
			case slices.Contains(aclTopics, topic.Name), strings.HasPrefix(topic.Name, proto.RetryPrefix+"crew"):
				err = a.readTopicAt(consumer, n, topic, func(r *client.Received) {
					if m := a.seen(n, topic.Name, r.Body); m != nil {
						inTopics[m] = true
					}
				})
			case proto.IsDeadLetterTopic(topic.Name):
				err = a.readTopicAt(consumer, n, topic, func(r *client.Received) { a.compareBuried(n, topic.Name, r.Body) })
			}
			if err != nil {
				return err
			}
		}
		if err := a.compareRest(n, topics); err != nil {
			return err
		}
	}
	for _, m := range a.deeds.stored {
		if !m.half && !inTopics[m] {
			a.failSafety("%v was acknowledged, and is not there", m)
		}
	}
	return nil
}

// readTopicAt reads all queues of a topic at one broker.
func (a *aclRun) readTopicAt(consumer *client.PullConsumer, n *cluster.Node, topic client.TopicConfig, use func(*client.Received)) error {
	for id := range topic.ReadQueues {
		queue := client.Queue{Topic: topic.Name, BrokerName: n.String(), QueueID: id}
		for next := client.QueueOffset(0); ; {
			var result client.PullResult
			if err := a.insist(func() (err error) { result, err = consumer.Pull(context.Background(), queue, next, 32); return err }); err != nil {
				return err
			}
			for _, r := range result.Messages {
				use(r)
			}
			if result.Next >= result.Max || result.Next <= next {
				break
			}
			next = result.Next
		}
	}
	return nil
}

// compareMade looks whether somebody who might has made a topic or a group.
func (a *aclRun) compareMade(n *cluster.Node, sort, name string) {
	if !strings.HasPrefix(name, "made-") && !strings.HasPrefix(name, "crewmade-") {
		return
	}
	if d := a.deeds.made[n.String()+" "+sort+" "+name]; d == nil || !a.possible(d) {
		a.failSafety("%s %s is at %s, and nobody who might has made it: %v", sort, name, n, d)
	}
}

// compareBuried looks whether somebody who might has given a message up.
func (a *aclRun) compareBuried(n *cluster.Node, topic string, body []byte) {
	deeds := a.deeds.buried[strings.TrimPrefix(topic, proto.DeadLetterTopic(""))+" "+string(body)]
	if !slices.ContainsFunc(deeds, a.possible) {
		a.failSafety("a message is in %s at %s, and nobody who might has put it there: %v", topic, n, deeds)
	}
}

// compareRest looks at groups and offsets, for what was acknowledged, and for secrets on the disk.
func (a *aclRun) compareRest(n *cluster.Node, topics []client.TopicConfig) error {
	groups, err := a.root.Groups(context.Background(), addressOf(n))
	if err != nil {
		return err
	}
	for _, group := range groups {
		a.compareMade(n, "group", group.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(a.deeds.made)) {
		d := a.deeds.made[key]
		name := key[strings.LastIndex(key, " ")+1:]
		isTopic := slices.ContainsFunc(topics, func(t client.TopicConfig) bool { return t.Name == name })
		isGroup := slices.ContainsFunc(groups, func(g client.GroupConfig) bool { return g.Name == name })
		if d.node == n && d.done && !isTopic && !isGroup {
			a.failSafety("%v was answered with success, and is not there", d)
		}
	}
	a.compareOffsets(n)
	for _, name := range n.Machine.Disk().Paths() {
		if content, _ := n.Machine.Disk().Content(name); bytes.Contains(content, []byte(aclSecret)) {
			a.failSafety("%s of %s has a secret in it that is not sealed", name, n)
		}
	}
	return nil
}

// compareOffsets looks whether somebody who might has committed what is committed.
func (a *aclRun) compareOffsets(n *cluster.Node) {
	net := newRawClient(a.observer)
	for _, queue := range a.queues {
		for _, group := range aclGroups[:2] {
			if queue.BrokerName != n.String() {
				continue
			}
			fields := map[string]string{"consumerGroup": group, "topic": queue.Topic, "queueId": fmt.Sprint(queue.QueueID)}
			sign(fields, nil, aclRoot, aclPassword(aclRoot, 0))
			answer := net.call(addressOf(n), proto.ReqQueryConsumerOffset, fields, nil)
			if answer == nil || answer.Code != int(proto.RespSuccess) || answer.Fields["offset"] == "0" {
				continue
			}
			commits := a.deeds.commits[group+" "+queue.String()]
			if !slices.ContainsFunc(commits, func(c *aclCommit) bool {
				return fmt.Sprint(int64(c.offset)) == answer.Fields["offset"] && a.possible(&c.aclDeed)
			}) {
				a.failSafety("%s of %s is committed in %v, and nobody who might has committed that", answer.Fields["offset"], group, queue)
			}
		}
	}
}
