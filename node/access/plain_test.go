package access

import (
	"net/netip"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/gantrymq/gantry/transport/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The file that Java's brokers come with, and a little more.
const plainExample = `
globalWhiteRemoteAddresses:
  - 10.10.103.*
  - 192.168.0.*

accounts:
  - accessKey: RocketMQ
    secretKey: 12345678
    whiteRemoteAddress:
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms:
      - topicA=DENY
      - topicB=PUB|SUB
      - topicC=SUB
    groupPerms:
      # the group should convert to retry topic
      - groupA=DENY
      - groupB=PUB|SUB
      - groupC=SUB

  - accessKey: rocketmq2
    secretKey: 12345678
    whiteRemoteAddress: 192.168.1.*
    # if it is admin, it could access all resources
    admin: true
`

func plainRules(t require.TestingT, text string) *Rules {
	file, err := ParsePlainFile([]byte(text))
	require.NoError(t, err)
	plain, err := NewPlain(file)
	require.NoError(t, err)
	return &Rules{Cluster: "DefaultCluster", Plain: plain}
}

// request is a signed request; without a secret it is not signed.
func request(code int32, account, secret string, header proto.HeaderEncoder, body []byte) *wire.Command {
	frame := wire.Begin(nil, &wire.Header{Code: code, Version: wire.OwnVersion})
	if header != nil {
		header.EncodeFields(&frame)
	}
	command := new(wire.Command)
	if err := (wire.Limits{}).Decode(frame.End(body), command); err != nil {
		panic(err)
	}
	if secret != "" {
		command.Fields = append(command.Fields, signature.Credentials{AccessKey: account, SecretKey: secret}.Sign(command.Fields, body)...)
	}
	return command
}

func sendTo(topic string) proto.HeaderEncoder {
	return (&proto.SendMessage{Topic: topic, ProducerGroup: "p"}).Short()
}

func pullFrom(topic, group string) proto.HeaderEncoder {
	return &proto.PullMessage{Topic: topic, ConsumerGroup: group}
}

func TestAccountsOfTheUsualFileDoWhatItSays(t *testing.T) {
	rules := plainRules(t, plainExample)
	change := &proto.DeleteTopicInBroker{Topic: "topicB"}
	for _, c := range []struct {
		account, secret string
		code            int32
		header          proto.HeaderEncoder
		rule            string
		allowed         bool
	}{
		{"RocketMQ", "12345678", proto.ReqSendMessageV2, sendTo("topicB"), "topicPerms topicB=PUB|SUB", true},
		{"RocketMQ", "12345678", proto.ReqSendBatchMessage, sendTo("topicB"), "topicPerms topicB=PUB|SUB", true},
		{"RocketMQ", "12345678", proto.ReqSendMessageV2, sendTo("topicA"), "topicPerms topicA=DENY", false},
		{"RocketMQ", "12345678", proto.ReqSendMessageV2, sendTo("topicC"), "topicPerms topicC=SUB", false},
		{"RocketMQ", "12345678", proto.ReqSendMessageV2, sendTo("other"), "defaultTopicPerm=DENY", false},
		{"RocketMQ", "12345678", proto.ReqSendMessageV2, sendTo(proto.TraceTopic), "traces may be sent by every account", true},
		{"RocketMQ", "12345678", proto.ReqPullMessage, pullFrom("topicC", "groupC"), "topicPerms topicC=SUB", true},
		{"RocketMQ", "12345678", proto.ReqPullMessage, pullFrom("topicC", "other"), "topicPerms topicC=SUB", true},
		{"RocketMQ", "12345678", proto.ReqPullMessage, pullFrom("topicC", "groupA"), "groupPerms groupA=DENY", false},
		{"RocketMQ", "12345678", proto.ReqPullMessage, pullFrom("%RETRY%groupC", "groupC"), "groupPerms groupC=SUB", true},
		{"RocketMQ", "12345678", proto.ReqPullMessage, pullFrom("%RETRY%groupA", "groupC"), "groupPerms groupA=DENY", false},
		{"RocketMQ", "12345678", proto.ReqLitePullMessage, pullFrom("topicC", "groupA"), "groupPerms groupA=DENY", false},
		{"RocketMQ", "12345678", proto.ReqGetBrokerConfig, nil, "every account may", true},
		{"RocketMQ", "12345678", proto.ReqDeleteTopicInBroker, change, "only accounts with admin: true may send this request", false},
		{"RocketMQ", "12345678", proto.ReqUpdateAndCreateACLConfig, nil, "only accounts with admin: true may send this request", false},
		{"RocketMQ", "12345678", 4711, nil, "no right is defined for this request: only accounts with admin: true may send it", false},
		{"RocketMQ", "87654321", proto.ReqSendMessageV2, sendTo("topicB"), reasonSignature, false},
		{"stranger", "12345678", proto.ReqSendMessageV2, sendTo("topicB"), "there is no such account", false},
		{"", "", proto.ReqSendMessageV2, sendTo("topicB"), "the request is not signed, and this server takes signed ones only (aclEnable)", false},
		{"rocketmq2", "12345678", proto.ReqDeleteTopicInBroker, change, "admin: true", true},
	} {
		command := request(c.code, c.account, c.secret, c.header, nil)
		d := rules.Decide(command, netip.MustParseAddr("172.16.0.1"))
		require.Equal(t, c.rule, d.Rule(), "%+v", c)
		require.Equal(t, c.allowed, d.Allowed, "%+v", c)
	}
}

func TestSomeAddressesNeedNoSignature(t *testing.T) {
	rules := plainRules(t, plainExample)
	from := func(address, account string) Decision {
		return rules.Decide(request(proto.ReqDeleteTopicInBroker, account, "wrong", &proto.DeleteTopicInBroker{Topic: "t"}, nil), netip.MustParseAddr(address))
	}
	d := from("10.10.103.9", "nobody")
	require.True(t, d.Allowed)
	require.Equal(t, "globalWhiteRemoteAddresses", d.Rule())
	d = from("192.168.1.77", "rocketmq2")
	require.True(t, d.Allowed)
	require.Equal(t, "whiteRemoteAddress of the account", d.Rule())
	d = from("192.168.1.77", "RocketMQ")
	require.False(t, d.Allowed, "the address is another account's")
}

func TestAddressesAreMatchedAsTheirPatternsSay(t *testing.T) {
	for pattern, want := range map[string]struct{ in, out string }{
		"*":                          {"1.2.3.4", ""},
		"*.*.*.*":                    {"1.2.3.4", "::1"},
		"1.2.3.4":                    {"1.2.3.4", "1.2.3.5"},
		"1.2.3.4,1.2.3.6":            {"1.2.3.6", "1.2.3.5"},
		"1.2.3.{4,6}":                {"1.2.3.6", "1.2.3.5"},
		"1.2.3-5.*":                  {"1.2.5.200", "1.2.6.1"},
		"1.2.*.*":                    {"1.2.5.200", "1.3.5.200"},
		"1.2.0.0/16":                 {"1.2.5.200", "1.3.5.200"},
		"1050::0005:0600:300c:1":     {"1050::5:600:300c:1", "1050::5:600:300c:2"},
		"1050::0005:0600:300c:*":     {"1050::5:600:300c:ab", "1050::5:600:300d:1"},
		"1050::0005:0600:300c:1-f":   {"1050::5:600:300c:f", "1050::5:600:300c:10"},
		"1050::0005:0600:300c:{1,f}": {"1050::5:600:300c:f", "1050::5:600:300c:2"},
		"*:*:*:*:*:*:*:*":            {"::1", "1.2.3.4"},
	} {
		rules, err := parseAddressRules(pattern)
		require.NoError(t, err, pattern)
		require.True(t, matchesAnyRule(rules, netip.MustParseAddr(want.in)), pattern)
		if want.out != "" {
			require.False(t, matchesAnyRule(rules, netip.MustParseAddr(want.out)), pattern)
		}
	}
	require.True(t, matchesAnyRule([]addressRule{{parts: [][2]uint16{{1, 1}, {2, 2}, {3, 3}, {4, 4}}}}, netip.MustParseAddr("::ffff:1.2.3.4")))
	for _, wrong := range []string{"1.2.3", "1.2.3.256", "1.2.3.5-4", "1.2.3.a", "1.2.{3,4}.5", "{1,2}", "1.2.3.4,", "1:2", "1.2.3.{4,x}"} {
		_, err := parseAddressRules(wrong)
		require.ErrorContains(t, err, "address", wrong)
	}
	none, err := parseAddressRules(" ")
	require.NoError(t, err)
	require.False(t, matchesAnyRule(none, here), "no pattern matches nothing")
}

func TestPatternsOfAddressesMatchWhatTheirPartsAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text string
		var value [4]byte
		want := true
		for i := range 4 {
			low, high := rapid.Uint8().Draw(t, "low"), rapid.Uint8().Draw(t, "high")
			low, high = min(low, high), max(low, high)
			value[i] = rapid.Uint8().Draw(t, "value")
			if i > 0 {
				text += "."
			}
			if rapid.Bool().Draw(t, "any") {
				text += "*"
				continue
			}
			text += number(low) + "-" + number(high)
			want = want && value[i] >= low && value[i] <= high
		}
		rules, err := parseAddressRules(text)
		require.NoError(t, err)
		require.Equal(t, want, matchesAnyRule(rules, netip.AddrFrom4(value)))
	})
}

func number(n uint8) string {
	return netip.AddrFrom4([4]byte{n}).String()[:len(netip.AddrFrom4([4]byte{n}).String())-6]
}

func TestAFileOfAccountsSaysWhatIsWrongWithIt(t *testing.T) {
	for problem, text := range map[string]string{
		`accessKey "short"`:                       "accounts: [{accessKey: short, secretKey: 12345678}]",
		`secretKey of RocketMQ`:                   "accounts: [{accessKey: RocketMQ, secretKey: 1234}]",
		`topicPerms: "topicA" is not of the form`: "accounts: [{accessKey: RocketMQ, secretKey: 12345678, topicPerms: [topicA]}]",
		`whiteRemoteAddress: address "1.2"`:       "accounts: [{accessKey: RocketMQ, secretKey: 12345678, whiteRemoteAddress: '1.2'}]",
		`globalWhiteRemoteAddresses: address`:     "globalWhiteRemoteAddresses: ['1.2']",
	} {
		file, err := ParsePlainFile([]byte(text))
		require.NoError(t, err)
		_, err = NewPlain(file)
		require.ErrorContains(t, err, problem)
	}
	file, err := ParsePlainFile([]byte("accounts:\n- {accessKey: RocketMQ, secretKey: 12345678, defaultTopicPerm: ALL}\n- {accessKey: RocketMQ, secretKey: 87654321}"))
	require.NoError(t, err)
	plain, err := NewPlain(file)
	require.NoError(t, err)
	require.Equal(t, []string{
		`account RocketMQ: defaultTopicPerm: "ALL" is none of PUB, SUB, PUB|SUB and DENY, and taken for DENY`, "account RocketMQ is there twice: the first counts",
	}, plain.Warnings())
	_, err = ParsePlainFile([]byte("accounts: 7"))
	require.Error(t, err)
}

func TestAFileOfAccountsIsChangedByRequests(t *testing.T) {
	file, err := ParsePlainFile([]byte(plainExample))
	require.NoError(t, err)
	changed, err := file.With(&proto.UpdateAndCreateACLConfig{AccessKey: "RocketMQ", TopicPerms: []string{"topicD=PUB"}, WhiteRemoteAddress: proto.Some("1.2.3.4")})
	require.NoError(t, err)
	require.Equal(t, "12345678", changed.Accounts[0].SecretKey, "what is not named stays")
	require.Equal(t, []string{"topicD=PUB"}, changed.Accounts[0].TopicPerms)
	require.Equal(t, "1.2.3.4", changed.Accounts[0].WhiteRemoteAddress)
	require.Len(t, file.Accounts[0].TopicPerms, 3, "the file that decides is as it was")
	_, err = file.With(&proto.UpdateAndCreateACLConfig{AccessKey: "RocketMQ", DefaultTopicPerm: "ALL"})
	require.ErrorContains(t, err, "is none of PUB")
	_, err = file.With(&proto.UpdateAndCreateACLConfig{AccessKey: "newcomer"})
	require.ErrorContains(t, err, "secretKey of newcomer")
	require.False(t, ptr(changed.Without("RocketMQ")).Has("RocketMQ"))
	_, err = file.WithWhiteAddresses([]string{"nowhere"})
	require.Error(t, err)
}

func ptr[T any](value T) *T { return &value }

func TestAFileOfAccountsReadsBack(t *testing.T) {
	file, err := ParsePlainFile([]byte(plainExample))
	require.NoError(t, err)
	file.Version = proto.DataVersion{Timestamp: 7, Counter: 3}
	text, err := file.Marshal()
	require.NoError(t, err)
	again, err := ParsePlainFile(text)
	require.NoError(t, err)
	require.Equal(t, file, again)
}

func TestAccountsBecomeUsersWithTheSameRights(t *testing.T) {
	file, err := ParsePlainFile([]byte(plainExample))
	require.NoError(t, err)
	before, err := (*Accounts)(nil).WithNewUser(User{Name: "rocketmq2", Password: "another"})
	require.NoError(t, err)
	after, moved, err := before.Migrate(file)
	require.NoError(t, err)
	require.Equal(t, []string{"RocketMQ"}, moved)
	rules := &Rules{Authentication: true, Authorization: true, Accounts: after}
	plain := plainRules(t, plainExample)
	for _, header := range []proto.HeaderEncoder{sendTo("topicA"), sendTo("topicB"), sendTo("topicC"), sendTo("other")} {
		command := request(proto.ReqSendMessageV2, "RocketMQ", "12345678", header, nil)
		want, got := plain.Decide(command, here), rules.Decide(command, here)
		require.Equal(t, want.Allowed, got.Allowed, "%v %v", want.String(), got.String())
	}
	for _, names := range [][2]string{{"topicB", "groupA"}, {"topicB", "groupB"}, {"topicC", "groupC"}, {"topicC", "other"}, {"topicA", "groupB"}} {
		command := request(proto.ReqPullMessage, "RocketMQ", "12345678", pullFrom(names[0], names[1]), nil)
		want, got := plain.Decide(command, here), rules.Decide(command, here)
		require.Equal(t, want.Allowed, got.Allowed, "%v %v", want.String(), got.String())
	}
}

func FuzzParsePlainFileReadsBackWhatItTakes(f *testing.F) {
	f.Add([]byte(plainExample))
	f.Add([]byte("accounts: [{accessKey: RocketMQ, secretKey: 12345678}]\ndataVersion: [{counter: 1}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParsePlainFile(text)
		if err != nil {
			return
		}
		first, err := NewPlain(file)
		if err != nil {
			return
		}
		written, err := file.Marshal()
		require.NoError(t, err)
		again, err := ParsePlainFile(written)
		require.NoError(t, err)
		second, err := NewPlain(again)
		require.NoError(t, err)
		require.Equal(t, first.String(), second.String())
	})
}
