package scenario

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// This file is about requests that are written by hand: signed as they should be by any account with any password, or forged.

// sign adds the name of an account and a signature to the fields of a request, as the protocol wants them.
func sign(fields map[string]string, body []byte, account, secret string) {
	fields["AccessKey"] = account
	mac := hmac.New(sha1.New, []byte(secret))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		mac.Write([]byte(fields[key]))
	}
	mac.Write(body)
	fields["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// forgeries spoil a request in one way each.
var forgeries = []func(w *aclWorker, d *aclDeed, fields map[string]string, body []byte) []byte{
	func(w *aclWorker, _ *aclDeed, fields map[string]string, body []byte) []byte {
		// Any one character, also of the last ones.
		text := []byte(fields["Signature"])
		i := w.random.IntN(len(text))
		text[i] ^= 1 + byte(w.random.IntN(2))
		fields["Signature"] = string(text)
		return body
	},
	func(_ *aclWorker, _ *aclDeed, fields map[string]string, body []byte) []byte {
		delete(fields, "Signature")
		return body
	},
	func(_ *aclWorker, _ *aclDeed, fields map[string]string, body []byte) []byte {
		delete(fields, "Signature")
		delete(fields, "AccessKey")
		return body
	},
	func(w *aclWorker, _ *aclDeed, fields map[string]string, body []byte) []byte {
		fields["AccessKey"] = aclRoot // whose secret it is not
		return body
	},
	func(w *aclWorker, d *aclDeed, fields map[string]string, body []byte) []byte {
		sign(fields, body, d.account, aclPassword(d.account, 0)[:len(aclSecret)+2])
		return body
	},
	func(_ *aclWorker, d *aclDeed, fields map[string]string, body []byte) []byte {
		sign(fields, body, "Acc"+d.account[3:], aclPassword(d.account, 0))
		return body
	},
	func(_ *aclWorker, _ *aclDeed, _ map[string]string, body []byte) []byte { return append(body, '!') },
}

// signed makes a request that is what its deed says.
func (w *aclWorker) signed(d *aclDeed, fields map[string]string, body []byte) []byte {
	sign(fields, body, d.account, aclPassword(d.account, d.password))
	if w.random.Chance(0.2) {
		d.forged = true
		body = forgeries[w.random.IntN(len(forgeries))](w, d, fields, slices.Clone(body))
	}
	return body
}

// ask sends a request and judges the answer, which may be nil.
func (w *aclWorker) ask(d *aclDeed, code int32, fields map[string]string, body []byte) *rawAnswer {
	body = w.signed(d, fields, body)
	answer := w.raw.call(w.a.addressFor(d.node), code, fields, body)
	verdict := aclNothing
	switch {
	case answer == nil:
	case deniedBy(int32(answer.Code), answer.Remark):
		verdict = aclDenied
	case answer.Code == int(proto.RespSuccess):
		verdict = aclAllowed
	}
	w.a.answered(d, verdict)
	return answer
}

// someone chooses an account, and mostly the password that it has now.
func (w *aclWorker) someone(broker string) (account string, password int) {
	account = w.a.accounts[w.random.IntN(len(w.a.accounts))]
	password = w.a.logs[broker][account].now()[0].password
	if w.random.Chance(0.2) {
		password = w.random.IntN(aclPasswords)
	}
	return account, password
}

// forge is the task of one who writes requests by hand.
func (w *aclWorker) forge() {
	w.raw = newRawClient(w.env)
	for !w.a.stopped {
		queue := w.a.queues[w.random.IntN(len(w.a.queues))]
		switch n := w.random.IntN(14); {
		case n < 3:
			w.sendRaw(queue, queue.Topic, topicWish(queue.Topic, rulePub), "")
		case n < 4:
			w.sendRetry(queue)
		case n < 6:
			w.sendOneway(queue)
		case n < 8:
			w.sendRaw(queue, queue.Topic, topicWish(queue.Topic, rulePub), message.PropertyHalfMessage+"\x01true\x02"+message.PropertyProducerGroup+"\x01bank\x02")
		case n < 10:
			w.endRaw()
		case n < 11:
			w.view()
		case n < 12:
			w.askNameServer()
		case n < 13:
			w.beat(w.node(queue))
		default:
			w.bury()
		}
		w.pause()
	}
	for _, address := range slices.Sorted(maps.Keys(w.raw.conns)) {
		_ = w.raw.conns[address].Close() // nothing is left to be done about an error
	}
}

// sendFields are those of a send, in letters or with whole names. With letters a whole name may say something else.
func (w *aclWorker) sendFields(queue client.Queue, topic, properties string) (int32, map[string]string) {
	values := []string{"producers", topic, proto.DefaultTopic, "4", strconv.Itoa(int(queue.QueueID)), "0", "1700000000000", "0", properties, "0", "false"}
	fields := map[string]string{}
	if w.random.Chance(0.3) {
		for i, name := range []string{"producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp", "flag", "properties", "reconsumeTimes", "unitMode"} {
			fields[name] = values[i]
		}
		return proto.ReqSendMessage, fields
	}
	for i, value := range values {
		fields[string(rune('a'+i))] = value
	}
	if w.random.Chance(0.3) {
		fields["topic"] = aclTopics[w.random.IntN(len(aclTopics))]
	}
	return proto.ReqSendMessageV2, fields
}

// sendRaw sends and waits for the answer.
func (w *aclWorker) sendRaw(queue client.Queue, topic string, need wish, properties string) {
	account, password := w.someone(queue.BrokerName)
	m := w.message(w.node(queue), account, password, topic, need)
	// Before it is sent: it may be seen before it is answered.
	m.half = properties != ""
	code, fields := w.sendFields(queue, topic, properties)
	answer := w.ask(&m.aclDeed, code, fields, m.body)
	if m.done {
		number, _ := strconv.ParseInt(answer.Fields["queueOffset"], 10, 64)
		w.stored(m, answer.Fields["msgId"], number)
	}
}

// sendRetry sends to the retry topic of a group, as a consumer does that fails with a message.
func (w *aclWorker) sendRetry(queue client.Queue) {
	group := aclGroups[w.random.IntN(2)]
	queue.QueueID = 0
	w.sendRaw(queue, proto.RetryTopic(group), groupWish(group, ruleSub), "")
}

// sendOneway sends and is told nothing.
func (w *aclWorker) sendOneway(queue client.Queue) {
	account, password := w.someone(queue.BrokerName)
	m := w.message(w.node(queue), account, password, queue.Topic, topicWish(queue.Topic, rulePub))
	code, fields := w.sendFields(queue, queue.Topic, "")
	body := w.signed(&m.aclDeed, fields, m.body)
	w.raw.tell(addressOf(m.node), code, fields, body)
	w.a.kernel.Mark("sent without an answer wanted")
}

// someStored chooses a message that was acknowledged, or none.
func (w *aclWorker) someStored(half bool) *aclMessage {
	all := w.a.deeds.stored
	for range 10 {
		if len(all) == 0 {
			return nil
		}
		if m := all[max(0, len(all)-1-w.random.IntN(20))]; m.half == half {
			return m
		}
	}
	return nil
}

// endRaw ends a transaction in the name of any account. The topic in the request is anything: clients of different ages say different ones.
func (w *aclWorker) endRaw() {
	m := w.someStored(true)
	if m == nil {
		return
	}
	account, password := w.someone(m.node.String())
	end := &aclEnd{aclDeed: w.a.deed("the end of the transaction of "+m.what, m.node, account, password, topicWish(m.topic, rulePub)), commit: w.random.Chance(0.5)}
	outcome := proto.OutcomeRollback
	if end.commit {
		outcome = proto.OutcomeCommit
	}
	fields := map[string]string{
		"producerGroup": "bank", "tranStateTableOffset": fmt.Sprint(m.place.number), "commitLogOffset": fmt.Sprint(m.place.log),
		"commitOrRollback": fmt.Sprint(int32(outcome)), "fromTransactionCheck": "false", "msgId": "m",
	}
	if said := append([]string{"", proto.HalfTopic, "space%" + m.topic}, aclTopics...)[w.random.IntN(3+len(aclTopics))]; said != "" {
		fields["topic"] = said
	}
	m.ends = append(m.ends, end)
	answer := w.ask(&end.aclDeed, proto.ReqEndTransaction, fields, nil)
	switch {
	case end.done:
		w.a.kernel.Mark("a transaction was ended")
	case end.denied:
		w.a.kernel.Mark("a transaction of others was not ended")
	case answer != nil && answer.Code == int(proto.RespIllegalOperation) && !w.a.mayHaveEnded(m, !end.commit):
		w.a.failSafety("%v has ended with a commit (%v), and nobody who might has done that: %v", m, !end.commit, answer)
	}
}

// view asks for a message by its place, and may say another topic than its own.
func (w *aclWorker) view() {
	m := w.someStored(false)
	if m == nil {
		return
	}
	account, password := w.someone(m.node.String())
	said := aclTopics[w.random.IntN(len(aclTopics))]
	d := w.a.deed("a look at "+m.what, m.node, account, password, topicWish(said, ruleGet), m.own(ruleGet))
	answer := w.ask(&d, proto.ReqViewMessageByID, map[string]string{"offset": fmt.Sprint(m.place.log), "topic": said}, nil)
	if d.done && len(answer.body) > 0 {
		w.a.kernel.Mark("a message was seen by its place")
	}
}

// own is a need on the topic of a message. A retry topic is its group's.
func (m *aclMessage) own(actions aclRule) wish {
	if proto.IsRetryTopic(m.topic) {
		return groupWish(m.topic[len(proto.RetryPrefix):], actions)
	}
	return topicWish(m.topic, actions)
}

// bury gives up a message in the name of a group: it becomes a dead letter.
func (w *aclWorker) bury() {
	m := w.someStored(false)
	if m == nil {
		return
	}
	account, password := w.someone(m.node.String())
	group, said := aclGroups[w.random.IntN(2)], aclTopics[w.random.IntN(len(aclTopics))]
	d := w.a.deed("burying "+m.what+" for "+group, m.node, account, password, groupWish(group, ruleSub), topicWish(said, ruleSub), m.own(ruleSub))
	key := group + " " + string(m.body)
	w.a.deeds.buried[key] = append(w.a.deeds.buried[key], &d)
	w.ask(&d, proto.ReqConsumerSendMessageBack, map[string]string{
		"offset": fmt.Sprint(m.place.log), "group": group, "delayLevel": "-1", "originTopic": said, "unitMode": "false", "maxReconsumeTimes": "16",
	}, nil)
	if d.done {
		w.a.kernel.Mark("a dead letter")
	}
}
