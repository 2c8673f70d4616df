package scenario

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about requests that are nobody's business but an administrator's or a server's, and about groups that heartbeats make.

// grab tries with the library what nobody but the administrator may: to make a user, or to give itself all rights.
func (w *aclWorker) grab(n *cluster.Node) {
	d := w.a.deed("grabbing rights", n, w.account, 0)
	d.forged = true
	var err error
	if w.random.Chance(0.5) {
		err = w.admin.CreateUser(context.Background(), w.a.addressFor(n), client.UserInfo{Username: "intruder", Password: aclPassword("intruder", 0)})
	} else {
		every := proto.PolicyEntryInfo{Resource: "*", Actions: []string{"All"}, Decision: proto.DecisionAllow}
		err = w.admin.UpdateACL(context.Background(), w.a.addressFor(n), client.ACLInfo{Subject: proto.SubjectUser + w.account, Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{every}}}})
	}
	w.a.answered(&d, answerOf(err))
}

// addressFor is where a node listens.
func (a *aclRun) addressFor(n *cluster.Node) string {
	for i, server := range a.cluster.NameServers {
		if server == n {
			return a.cluster.NameServerAddresses()[i]
		}
	}
	return addressOf(n)
}

// askNameServer asks one for a route, which every account may see, or for what only servers and administrators may change.
func (w *aclWorker) askNameServer() {
	n := w.a.cluster.NameServers[w.random.IntN(len(w.a.cluster.NameServers))]
	account, password := w.someone(n.String())
	if w.random.Chance(0.4) {
		topic := aclTopics[w.random.IntN(len(aclTopics))]
		d := w.a.deed("a route", n, account, password, topicWish(topic, rulePub|ruleSub|ruleGet))
		if w.ask(&d, proto.ReqGetRouteInfoByTopic, map[string]string{"topic": topic}, nil); d.done {
			w.a.kernel.Mark("a route was told")
		}
		return
	}
	victim := w.a.cluster.Brokers[w.random.IntN(len(w.a.cluster.Brokers))]
	mischief := []struct {
		code   int32
		fields map[string]string
	}{
		{proto.ReqPutKVConfig, map[string]string{"namespace": "space", "key": "key", "value": "value"}},
		{proto.ReqWipeWritePermOfBroker, map[string]string{"brokerName": victim.String()}},
		{proto.ReqUnregisterBroker, map[string]string{"brokerName": victim.String(), "brokerAddr": addressOf(victim), "brokerId": "0", "clusterName": "other"}},
	}[w.random.IntN(3)]
	d := w.a.deed(proto.RequestName(mischief.code), n, account, password)
	d.forged = true
	w.ask(&d, mischief.code, mischief.fields, nil)
}

// beat sends the heartbeat of a consumer in a group that there is not yet, which makes it.
func (w *aclWorker) beat(n *cluster.Node) {
	w.sent++
	group, topic := fmt.Sprintf("crewmade-beat%s-%d", w.name[len(w.name)-1:], w.sent), aclTopics[w.random.IntN(len(aclTopics))]
	account, password := w.someone(n.String())
	d := w.a.deed("a heartbeat of group "+group, n, account, password, groupWish(group, ruleSub), topicWish(topic, ruleSub))
	w.a.deeds.made[n.String()+" group "+group] = &d
	data := proto.HeartbeatData{ClientID: w.name, Consumers: []proto.ConsumerData{{
		Group: group, ConsumeType: proto.ConsumePull, Model: proto.Clustering, From: proto.FromLastOffset,
		Subscriptions: []proto.SubscriptionData{{Topic: topic, Expression: proto.SubscribeAll, ExpressionType: proto.ExpressionTag}},
	}}}
	if w.ask(&d, proto.ReqHeartbeat, map[string]string{}, data.Marshal()); d.done {
		w.a.kernel.Mark("a heartbeat made a group")
		// Success is also said where the group could not be saved.
		d.done = false
	}
}
