package scenario

import (
	"bytes"
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/broker"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ruled is an account with some rules of the Custom policy, and then of the Default one.
func ruled(custom, fallback map[string]aclRule) standing {
	s := standing{exists: true}
	for i, resource := range ruledResources {
		s.rules[0][i], s.rules[1][i] = custom[resource], fallback[resource]
	}
	return s
}

func TestTheRuleThatSaysMostDecides(t *testing.T) {
	s := ruled(map[string]aclRule{"Topic:topic0": rulePub, "Topic:topic*": rulePub | ruleSub | ruleDeny, "*": ruleGet}, map[string]aclRule{"Topic:*": ruleAll, "Group:*": ruleAll | ruleElsewhere})
	for _, c := range []struct {
		wish   wish
		grants bool
	}{
		{topicWish("topic0", rulePub), true},
		{topicWish("topic0", ruleSub), false},
		{topicWish("topic1", rulePub), false},
		{topicWish("topic1", ruleGet), true},
		{topicWish("topic1", ruleCreate), true}, // of the Default policy
		{groupWish("crew0", ruleGet), true},     // everything is a group, too
		{groupWish("crew0", ruleUpdate), false}, // its rule is for another address
		{topicWish("made-1", ruleUpdate), true}, // of the Default policy
		{topicWish("other", rulePub), true},     // no prefix covers it
		{topicWish("topic0", ruleUpdate), true}, // nothing of the Custom policy is about it
	} {
		require.Equal(t, c.grants, s.grants(c.wish), "%v", c.wish)
	}
	require.True(t, s.lets(0, nil))
	require.False(t, s.lets(1, nil), "with another password")
	s.disabled = true
	require.False(t, s.lets(0, nil))
}

func TestWhatABrokerSaysOfAnAccountIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := sim.New(rapid.Uint64().Draw(t, "seed"), sim.Options{})
		defer k.Close()
		s := drawStanding(k.Stream("rights"))
		s.password = rapid.IntRange(0, aclPasswords-1).Draw(t, "password")
		user := client.UserInfo{Username: "acc0", Password: aclPassword("acc0", s.password), Status: proto.UserEnabled}
		if s.disabled {
			user.Status = proto.UserDisabled
		}
		got, err := readStanding(user, true, s.info("acc0"))
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

func TestAnAccountThatNobodyHasMadeSoIsSeen(t *testing.T) {
	_, err := readStanding(client.UserInfo{Username: "acc0", Password: "guessed"}, true, client.ACLInfo{})
	require.ErrorContains(t, err, "a password that nobody has set")
	user := client.UserInfo{Username: "acc0", Password: aclPassword("acc0", 0)}
	_, err = readStanding(user, true, client.ACLInfo{Policies: []proto.PolicyInfo{{Type: proto.PolicyCustom, Entries: []proto.PolicyEntryInfo{{Resource: "Cluster:*"}}}}})
	require.ErrorContains(t, err, "an entry that nobody has made")
}

var (
	disable = func(s standing) (standing, bool) { s.disabled = true; return s, s.exists }
	remove  = func(standing) (standing, bool) { return standing{}, true }
	create  = func(s standing) (standing, bool) { return standing{exists: true}, !s.exists }
)

func TestAnAccountIsOnlyWhatAnswersLeaveOpen(t *testing.T) {
	l := newAccountLog(standing{exists: true})
	during := func(from, to env.Instant, allowed, denied bool) {
		t.Helper()
		a, d := l.during(from, to, 0, nil)
		require.Equal(t, []bool{allowed, denied}, []bool{a, d}, "from %s to %s", from, to)
	}
	process := new(broker.Broker)
	l.begin(10, process, disable)
	require.True(t, l.end(20, process, disable, changeMade))
	during(0, 9, true, false)
	during(12, 15, true, true)
	during(5, 30, true, true)
	during(21, 30, false, true)
	l.begin(30, process, create)
	require.False(t, l.end(40, process, create, changeMade), "it is there")
	l = newAccountLog(standing{})
	l.begin(10, process, disable)
	require.False(t, l.end(20, process, disable, changeMade), "there is no such user")
	l = newAccountLog(standing{})
	l.begin(10, process, create)
	require.False(t, l.end(20, process, create, changeRefused), "there is no such user yet")
}

func TestAChangeWithoutAnAnswerMayBeMadeUntilTheProcessIsDead(t *testing.T) {
	first, second := new(broker.Broker), new(broker.Broker)
	l := newAccountLog(standing{exists: true})
	l.begin(10, first, remove)
	require.True(t, l.end(20, first, remove, changeUnknown))
	allowed, denied := l.during(25, 26, 0, nil)
	require.True(t, allowed && denied)
	require.Len(t, l.now(), 2)
	// The user is made anew, or was not removed yet; and it may be removed any time.
	l.begin(30, first, create)
	require.True(t, l.end(40, first, create, changeRefused))
	require.Len(t, l.now(), 2)
	// Another process does not have the request.
	l.begin(50, second, create)
	require.True(t, l.end(60, second, create, changeMade))
	require.Equal(t, []standing{{exists: true}}, l.now())
	allowed, denied = l.during(61, 70, 0, nil)
	require.True(t, allowed && !denied)
	l.begin(70, second, remove)
	require.True(t, l.end(80, second, remove, changeNotSent))
	require.Equal(t, []standing{{exists: true}}, l.now())
	require.False(t, l.known(90, standing{exists: true, disabled: true}))
}

func TestTooManyPossibilitiesAreAllPossible(t *testing.T) {
	process := new(broker.Broker)
	l := newAccountLog(standing{exists: true})
	for i := range 8 {
		put := func(s standing) (standing, bool) { s.rules[0][i] = ruleAll; return s, s.exists }
		l.begin(1, process, put)
		require.True(t, l.end(2, process, put, changeUnknown))
	}
	require.True(t, l.unsure())
	allowed, denied := l.during(3, 4, 1, nil)
	require.True(t, allowed && denied)
	require.True(t, l.known(5, standing{}))
	require.False(t, l.unsure())
}

func TestASecretInALineIsFound(t *testing.T) {
	var out bytes.Buffer
	l := leakDetector{out: &out, secret: "hush"}
	for _, line := range []string{"a line\n", "a hushed line\n", "another hushed line\n"} {
		n, err := l.Write([]byte(line))
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	require.Equal(t, "a hushed line\n", l.line)
	require.Equal(t, 3, bytes.Count(out.Bytes(), []byte("\n")))
}
