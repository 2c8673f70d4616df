package scenario

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file keeps what was asked for in the name of accounts, and says whether it may be done.

// aclDeed is one request that changes something, or shows it.
type aclDeed struct {
	what     string
	node     *cluster.Node
	account  string
	password int
	forged   bool // nobody's rights count: it is not signed as it should be
	wishes   []wish
	began    env.Instant
	denied   bool // and therefore not done
	done     bool // as the broker has answered
}

// String tells who wants what of which broker.
func (d *aclDeed) String() string {
	who := d.account
	if d.forged {
		who = "somebody in the name of " + who
	}
	return fmt.Sprintf("%s by %s with password %d at %s since %s, which needs %v", d.what, who, d.password, d.node, d.began, d.wishes)
}

// aclMessage is a message that somebody sends.
type aclMessage struct {
	aclDeed
	topic string
	body  []byte
	half  bool
	ends  []*aclEnd // of its transaction
	place aclPlace  // if it was acknowledged
}

// aclPlace is where a message is stored.
type aclPlace struct{ log, number int64 }

// aclEnd is an attempt to end a transaction.
type aclEnd struct {
	aclDeed
	commit bool
}

// aclDeeds are all deeds of a run.
type aclDeeds struct {
	sent    map[linearizability.Hash]*aclMessage
	stored  []*aclMessage // acknowledged, and half of a transaction or not
	made    map[string]*aclDeed
	commits map[string][]*aclCommit // by broker, group and queue
	buried  map[string][]*aclDeed   // by group and body
}

// aclCommit is an offset that somebody commits.
type aclCommit struct {
	aclDeed
	offset client.QueueOffset
}

func newACLDeeds() aclDeeds {
	return aclDeeds{
		sent: map[linearizability.Hash]*aclMessage{}, made: map[string]*aclDeed{}, commits: map[string][]*aclCommit{}, buried: map[string][]*aclDeed{},
	}
}

// aclAnswer is what a broker has said to a request, as far as rights go.
type aclAnswer int

const (
	aclNothing aclAnswer = iota // it may have been done or not
	aclAllowed
	aclDenied
)

// answerOf reads the outcome of a call of the library.
func answerOf(err error) aclAnswer {
	var refused *client.ResponseError
	switch {
	case err == nil:
		return aclAllowed
	case errors.As(err, &refused) && deniedBy(refused.Code, refused.Remark):
		return aclDenied
	}
	return aclNothing
}

// deniedBy tells a denial for want of rights from one of other reasons.
func deniedBy(code int32, remark string) bool {
	return code == proto.RespNoPermission && strings.Contains(remark, "has no permission")
}

// deed begins one.
func (a *aclRun) deed(what string, n *cluster.Node, account string, password int, wishes ...wish) aclDeed {
	a.Operations++
	return aclDeed{what: what, node: n, account: account, password: password, wishes: wishes, began: a.kernel.Now()}
}

// answered judges what a broker has answered: a denial needs a moment at which the account may have lacked a right, and
// anything else one at which it may have had all.
func (a *aclRun) answered(d *aclDeed, answer aclAnswer) {
	allowed, denied := a.during(d, d.began, a.kernel.Now())
	switch {
	case answer == aclNothing:
		a.kernel.Mark("without an answer")
		return
	case answer == aclAllowed && !allowed:
		a.failSafety("%v was done, though it was allowed at no time: %+v", d, a.logs[d.node.String()][d.account].now())
		return
	case answer == aclDenied && !denied:
		a.failSafety("%v was denied, though it was allowed at all times", d)
		return
	}
	d.done, d.denied = answer == aclAllowed, answer == aclDenied
	mark := map[bool]string{true: "allowed", false: "denied"}[d.done]
	a.kernel.Mark(mark)
	if allowed && denied {
		a.kernel.Mark(mark + " while rights change")
	}
	if d.forged {
		a.kernel.Mark("a forgery was refused")
	}
	if d.denied && d.password > 0 {
		a.kernel.Mark("an old password was refused")
	}
}

// during tells whether a deed may have been allowed between two instants, and whether it may have been denied.
func (a *aclRun) during(d *aclDeed, from, to env.Instant) (allowed, denied bool) {
	if d.forged {
		return false, true
	}
	return a.logs[d.node.String()][d.account].during(from, to, d.password, d.wishes)
}

// possible reports whether a deed may have been done by now, whatever was answered.
func (a *aclRun) possible(d *aclDeed) bool {
	allowed, _ := a.during(d, d.began, a.kernel.Now())
	return d.done || !d.denied && allowed
}

// seen judges a message that is in a queue of a topic.
func (a *aclRun) seen(n *cluster.Node, topic string, body []byte) *aclMessage {
	m := a.deeds.sent[linearizability.HashOf(body)]
	switch {
	case m == nil:
		a.failSafety("a message in %s at %s was never sent", topic, n)
	case m.topic != topic || m.node != n:
		a.failSafety("%v is in %s at %s", m, topic, n)
	case !a.possible(&m.aclDeed):
		a.failSafety("%v is stored, though it was denied or allowed at no time", m)
	case m.half && !a.mayHaveEnded(m, true):
		a.failSafety("%v is seen, and nobody who might has committed it", m)
	}
	return m
}

// mayHaveEnded reports whether somebody who might has ended a transaction so.
func (a *aclRun) mayHaveEnded(m *aclMessage, commit bool) bool {
	for _, end := range m.ends {
		if end.commit == commit && a.possible(&end.aclDeed) {
			return true
		}
	}
	return false
}

// topicWish and groupWish are needs on one name.
func topicWish(topic string, actions aclRule) wish { return wish{"Topic:" + topic, actions} }
func groupWish(group string, actions aclRule) wish { return wish{"Group:" + group, actions} }
