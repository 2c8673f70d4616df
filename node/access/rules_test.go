package access

import (
	"net/netip"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
)

func userRules(t require.TestingT) *Rules {
	return &Rules{Authentication: true, Authorization: true, Cluster: "DefaultCluster", Accounts: someAccounts(t)}
}

func TestADecisionNamesTheAccountAndTheRuleInOneLine(t *testing.T) {
	rules := userRules(t)
	for _, c := range []struct {
		command *wire.Command
		line    string
	}{
		{request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("orders"), []byte("x")),
			"request 310 of User:alice from 10.0.0.7 allowed by Custom entry Topic:orders Pub from 10.0.0.0/8 Allow for Topic:orders (Pub)"},
		{request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("bills"), nil),
			"request 310 of User:alice from 10.0.0.7 denied by no ACL allows it: no matched policies for Topic:bills (Pub)"},
		{request(proto.ReqPullMessage, "alice", "alice's secret", pullFrom("orders", "billing"), nil),
			"request 11 of User:alice from 10.0.0.7 denied by Custom entry Group:bill* Sub Deny for Group:billing (Sub) and 1 more"},
		{request(proto.ReqGetTopicStatsInfo, "alice", "alice's secret", &proto.GetTopicStatsInfo{Topic: "bills"}, nil),
			"request 202 of User:alice from 10.0.0.7 allowed by Default entry Topic:* Get Allow for Topic:bills (Get)"},
		{request(proto.ReqDeleteTopicInBroker, "root", "root's secret", &proto.DeleteTopicInBroker{Topic: "orders"}, nil),
			"request 215 of User:root (super) from 10.0.0.7 allowed by super user"},
		{request(proto.ReqSendMessageV2, "alice", "guessed", sendTo("orders"), nil),
			`request 310 of somebody who says to be "alice" from 10.0.0.7 denied by ` + reasonSignature},
		{request(proto.ReqSendMessageV2, "ben", "ben's secret", sendTo("orders"), nil),
			`request 310 of somebody who says to be "ben" from 10.0.0.7 denied by the user is disabled`},
		{request(proto.ReqSendMessageV2, "eve", "secret", sendTo("orders"), nil),
			`request 310 of somebody who says to be "eve" from 10.0.0.7 denied by there is no such user`},
		{request(proto.ReqSendMessageV2, "", "", sendTo("orders"), nil),
			"request 310 of nobody in particular from 10.0.0.7 denied by " + reasonUnsigned},
		{request(4711, "alice", "alice's secret", nil, nil),
			"request 4711 of User:alice from 10.0.0.7 denied by no right is defined for this request: only super users may send it"},
		{request(proto.ReqGetBrokerRuntimeInfo, "alice", "alice's secret", nil, nil),
			"request 28 of User:alice from 10.0.0.7 allowed by every user may"},
	} {
		d := rules.Decide(c.command, here)
		if c.command.Code == proto.ReqDeleteTopicInBroker {
			require.True(t, d.Super)
			c.line = "request 215 of User:root from 10.0.0.7 allowed by super user"
		}
		require.Equal(t, c.line, d.String())
	}
	d := rules.Decide(request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("bills"), nil), here)
	require.Equal(t, "User:alice has no permission to access Topic:bills (Pub) from 10.0.0.7: no ACL allows it: no matched policies", d.Remark())
	d = rules.Decide(request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("orders"), nil), netip.MustParseAddr("11.0.0.1"))
	require.False(t, d.Allowed, "alice may send from 10.0.0.0/8 only")
}

func TestSwitchesSayWhatIsLookedAt(t *testing.T) {
	signed := request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("bills"), nil)
	unsigned := request(proto.ReqSendMessageV2, "", "", sendTo("bills"), nil)
	forged := request(proto.ReqSendMessageV2, "root", "guessed", sendTo("bills"), nil)
	code := map[int32]bool{proto.ReqSendMessageV2: true}
	for _, c := range []struct {
		change                   func(*Rules)
		signed, unsigned, forged bool
	}{
		{func(r *Rules) { r.Authentication, r.Authorization = false, false }, true, true, true},
		{func(r *Rules) { r.Authorization = false }, true, false, false},
		{func(r *Rules) {}, false, false, false},
		{func(r *Rules) { r.ExemptFromAuthorization = code }, true, false, false},
		{func(r *Rules) { r.ExemptFromAuthentication = code }, false, false, false},
		{func(r *Rules) { r.ExemptFromAuthentication, r.ExemptFromAuthorization = code, code }, true, true, true},
		{func(r *Rules) { r.ExemptFromAuthentication, r.Authorization = code, false }, true, true, true},
	} {
		rules := userRules(t)
		c.change(rules)
		for command, want := range map[*wire.Command]bool{signed: c.signed, unsigned: c.unsigned, forged: c.forged} {
			d := rules.Decide(command, here)
			require.Equal(t, want, d.Allowed, "%+v: %v", c, d.String())
		}
		forgery := rules.Decide(forged, here)
		require.False(t, forgery.Super, "a name that nobody has proven gives no rights")
	}
}

func TestARequestThatCannotBeReadIsDenied(t *testing.T) {
	command := request(proto.ReqHeartbeat, "alice", "alice's secret", nil, []byte("{"))
	d := userRules(t).Decide(command, here)
	require.False(t, d.Allowed)
	require.Contains(t, d.Rule(), "what the request is about cannot be read")
}

func TestWhatARequestTurnsOutToBeAboutIsDecidedToo(t *testing.T) {
	rules := userRules(t)
	need := Need{TopicResource("bills"), ActionSub}
	alice, root := request(proto.ReqViewMessageByID, "alice", "alice's secret", nil, nil), request(proto.ReqViewMessageByID, "root", "root's secret", nil, nil)
	denied := rules.Touch(alice, here, need)
	require.False(t, denied.Allowed)
	allowed := rules.Touch(alice, here, Need{TopicResource("bills"), ActionGet})
	require.True(t, allowed.Allowed)
	super := rules.Touch(root, here, need)
	require.True(t, super.Allowed)
	open := (&Rules{}).Touch(alice, here, need)
	require.True(t, open.Allowed)
	plain := plainRules(t, plainExample)
	back := request(proto.ReqConsumerSendMessageBack, "RocketMQ", "12345678", nil, nil)
	denied = plain.Touch(back, here, Need{TopicResource("topicA"), ActionSub})
	require.False(t, denied.Allowed)
	allowed = plain.Touch(back, here, Need{TopicResource("topicC"), ActionSub})
	require.True(t, allowed.Allowed)
}

// Between the admission of a request and what it turns out to be about, its sender may be gone.
func TestAnAccountThatIsGoneMayDoNothingMore(t *testing.T) {
	rules, need := userRules(t), SendNeed("orders")
	for account, reason := range map[string]string{"alice": "", "root": "", "ben": reasonDisabled, "eve": reasonNoUser, "": reasonNoUser} {
		d := rules.Later(proto.ReqEndTransaction, account, here, need)
		require.Equal(t, reason == "", d.Allowed, account)
		if !d.Allowed {
			require.Equal(t, reason, d.Rule())
			require.Contains(t, d.Remark(), "User:"+account+" has no permission to access Topic:orders (Pub)")
		}
	}
}

// A transaction belongs to the topic of its message, also for accounts of ACL 1.0.
func TestWhoMaySendToATopicIsWhoMaySendToItLater(t *testing.T) {
	require.Equal(t, Need{TopicResource("orders"), ActionPub}, SendNeed("orders"))
	require.Equal(t, Need{GroupResource("billing"), ActionSub}, SendNeed(proto.RetryTopic("billing")))
	plain := plainRules(t, `
accounts:
- {accessKey: orders-app, secretKey: 12345678, topicPerms: ["orders=PUB"]}
`)
	end := request(proto.ReqEndTransaction, "orders-app", "12345678", &proto.EndTransaction{Topic: "bills"}, nil)
	admitted := plain.Decide(end, here)
	require.True(t, admitted.Allowed, "what the request says of its topic is not believed: %v", &admitted)
	for topic, allowed := range map[string]bool{"orders": true, "bills": false} {
		d := plain.Touch(end, here, SendNeed(topic))
		require.Equal(t, allowed, d.Allowed, topic)
	}
}

func TestListsOfCodesAreRead(t *testing.T) {
	codes, err := ParseCodes(" 10, 310,")
	require.NoError(t, err)
	require.Equal(t, map[int32]bool{10: true, 310: true}, codes)
	_, err = ParseCodes("10,SEND")
	require.ErrorContains(t, err, `"SEND" is not the number`)
}

// What nobody has signed is never allowed, whatever a request looks like.
func FuzzOnlySignedRequestsAreAllowed(f *testing.F) {
	f.Add(int32(34), "alice", []byte(`{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[{"topic":"t"}]}]}`), "topic", "orders", []byte("x"))
	f.Add(int32(310), "root", []byte(nil), "b", "orders", []byte("KUCQ7Ec5a0Z1UFtFQ5VEs/mE8XA="))
	f.Fuzz(func(t *testing.T, code int32, account string, body []byte, key, value string, given []byte) {
		command := &wire.Command{Header: wire.Header{Code: code, Version: wire.OwnVersion}, Body: body}
		command.Fields.Add(key, value)
		command.Fields.Add(signature.FieldAccessKey, account)
		command.Fields = append(command.Fields, wire.Field{Key: []byte(signature.FieldSignature), Value: given})
		for _, rules := range []*Rules{userRules(t), plainRules(t, plainExample)} {
			d := rules.Decide(command, here)
			require.False(t, d.Allowed, d.String())
			// A super user's or an unproven name's request is read as well where rights are looked at.
			_, _ = rules.needsOf(command)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	rules := userRules(b)
	command := request(proto.ReqSendMessageV2, "alice", "alice's secret", sendTo("orders"), make([]byte, 1024))
	b.ReportAllocs()
	for b.Loop() {
		if d := rules.Decide(command, here); !d.Allowed {
			b.Fatal(d.String())
		}
	}
}
