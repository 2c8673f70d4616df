package access

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// entry reads "Topic:orders Pub,Sub Allow", with an address or a range as a fourth word.
func entry(t require.TestingT, text string) Entry {
	words := strings.Fields(text)
	info := proto.PolicyEntryInfo{Resource: words[0], Actions: strings.Split(words[1], ","), Decision: words[2]}
	if len(words) > 3 {
		info.Sources = strings.Split(words[3], ",")
	}
	e, err := ParseEntry(info)
	require.NoError(t, err, text)
	return e
}

func entries(t require.TestingT, texts ...string) []Entry {
	var list []Entry
	for _, text := range texts {
		list = append(list, entry(t, text))
	}
	return list
}

var (
	here        = netip.MustParseAddr("10.0.0.7")
	sendsOrders = Need{TopicResource("orders"), ActionPub}
)

func TestTheEntryThatSaysMostDecides(t *testing.T) {
	for _, c := range []struct {
		custom, fallback []string
		want             string // of the entry; "" for none
	}{
		{nil, nil, ""},
		{[]string{"Topic:orders Pub Allow"}, nil, "Topic:orders Pub Allow"},
		{[]string{"Topic:orders Sub Allow"}, nil, ""},
		{[]string{"Topic:orders All Allow"}, nil, "Topic:orders All Allow"},
		{[]string{"Group:orders Pub Allow"}, nil, ""},
		// A literal name before prefixes, long prefixes before short ones, those before any name, a kind before any kind.
		{[]string{"* Pub Allow", "Topic:* Pub Deny"}, nil, "Topic:* Pub Deny"},
		{[]string{"Topic:* Pub Deny", "Topic:o* Pub Allow"}, nil, "Topic:o* Pub Allow"},
		{[]string{"Topic:o* Pub Allow", "Topic:ord* Pub Deny"}, nil, "Topic:ord* Pub Deny"},
		{[]string{"Topic:ord* Pub Deny", "Topic:orders Pub Allow"}, nil, "Topic:orders Pub Allow"},
		{[]string{"Topic:orders Pub Deny", "* All Allow"}, nil, "Topic:orders Pub Deny"},
		// An entry about another action does not count, whatever its resource says.
		{[]string{"Topic:orders Sub Deny", "* Pub Allow"}, nil, "* Pub Allow"},
		// The Default policy counts only if no Custom entry matches.
		{[]string{"* Pub Allow"}, []string{"Topic:orders Pub Deny"}, "* Pub Allow"},
		{[]string{"Topic:other Pub Allow"}, []string{"Topic:orders Pub Deny"}, "Topic:orders Pub Deny"},
		// Where a request comes from.
		{[]string{"Topic:orders Pub Allow 10.0.0.0/24"}, nil, "Topic:orders Pub from 10.0.0.0/24 Allow"},
		{[]string{"Topic:orders Pub Allow 10.0.0.7,::1"}, nil, "Topic:orders Pub from 10.0.0.7,::1 Allow"},
		{[]string{"Topic:orders Pub Deny 10.0.1.0/24", "Topic:* Pub Allow"}, nil, "Topic:* Pub Allow"},
	} {
		acl := &ACL{User: "alice", Custom: entries(t, c.custom...), Default: entries(t, c.fallback...)}
		got := ""
		if e, _ := acl.decide(sendsOrders, here); e != nil {
			got = e.String()
		}
		require.Equal(t, c.want, got, "%q %q", c.custom, c.fallback)
	}
}

func TestOneOfTheActionsOfANeedIsEnough(t *testing.T) {
	need := Need{TopicResource("orders"), ActionPub | ActionSub | ActionGet}
	acl := &ACL{Custom: entries(t, "Topic:orders Get Allow")}
	e, policy := acl.decide(need, here)
	require.Equal(t, "Topic:orders Get Allow", e.String())
	require.Equal(t, proto.PolicyCustom, policy)
}

func drawEntries(t *rapid.T, name string) []Entry {
	one := rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{Actions: Actions(rapid.Uint16Range(1, 1<<len(actionNames)-1).Draw(t, "actions")), Deny: rapid.Bool().Draw(t, "deny")}
		e.Resource = rapid.SampledFrom([]Resource{
			{Kind: KindAny, Pattern: PatternAny}, {Kind: KindTopic, Pattern: PatternAny}, {Kind: KindGroup, Pattern: PatternAny},
			{KindTopic, PatternPrefix, "o"}, {KindTopic, PatternPrefix, "ord"}, {KindTopic, PatternLiteral, "orders"},
			{KindTopic, PatternLiteral, "o"}, {KindGroup, PatternLiteral, "orders"}, {KindCluster, PatternLiteral, "c"},
		}).Draw(t, "resource")
		if rapid.Bool().Draw(t, "somewhere") {
			e.Sources = []netip.Prefix{netip.MustParsePrefix(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "::/0"}).Draw(t, "source"))}
		}
		return e
	})
	return rapid.SliceOfNDistinct(one, 0, 8, func(e Entry) Resource { return e.Resource }).Draw(t, name)
}

func drawNeed(t *rapid.T) Need {
	return Need{
		rapid.SampledFrom([]Resource{TopicResource("orders"), TopicResource("o"), TopicResource("x"), GroupResource("orders"), ClusterResource("c")}).Draw(t, "resource"),
		Actions(rapid.Uint16Range(1, 1<<len(actionNames)-1).Draw(t, "needed")) &^ ActionAll,
	}
}

// naive looks at each way to say something about a need, from the one that says most on.
func naive(list []Entry, need Need, source netip.Addr) *Entry {
	name := need.Resource.Name
	candidates := []string{need.Resource.String()}
	for n := len(name); n > 0; n-- {
		candidates = append(candidates, need.Resource.Kind.String()+":"+name[:n]+"*")
	}
	candidates = append(candidates, need.Resource.Kind.String()+":*", "*")
	for _, resource := range candidates {
		for i := range list {
			e := &list[i]
			acts := slices.ContainsFunc(e.Actions.Names(), func(a string) bool { return a == "All" || slices.Contains(need.Actions.Names(), a) })
			from := e.Sources == nil || e.Sources[0].Contains(source)
			if e.Resource.String() == resource && acts && from {
				return e
			}
		}
	}
	return nil
}

func TestDecisionsAreThoseOfANaiveReadingInWhateverOrderEntriesStand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acl := &ACL{Custom: drawEntries(t, "custom"), Default: drawEntries(t, "default")}
		need := drawNeed(t)
		source := netip.MustParseAddr(rapid.SampledFrom([]string{"10.0.0.1", "10.1.0.1", "11.0.0.1", "fe80::1"}).Draw(t, "source"))
		want := naive(acl.Custom, need, source)
		if want == nil {
			want = naive(acl.Default, need, source)
		}
		turned := &ACL{Custom: rapid.Permutation(acl.Custom).Draw(t, "turned"), Default: rapid.Permutation(acl.Default).Draw(t, "turned default")}
		for _, each := range []*ACL{acl, turned} {
			got, _ := each.decide(need, source)
			if (got == nil) != (want == nil) || got != nil && got.String() != want.String() {
				t.Fatalf("%v from %v: got %v, want %v of %v", need, source, got, want, acl.Info())
			}
		}
	})
}

func TestADenialWinsWhereTwoEntriesSayTheSame(t *testing.T) {
	twice := entries(t, "Topic:orders Pub Allow", "Topic:orders Pub Deny")
	require.True(t, strongest(twice, sendsOrders, here).Deny)
	slices.Reverse(twice)
	require.True(t, strongest(twice, sendsOrders, here).Deny)
}

func TestAnACLComesBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acl := &ACL{User: "alice", Custom: drawEntries(t, "custom"), Default: drawEntries(t, "default")}
		info := acl.Info()
		got, err := ParseACL(&info)
		if len(acl.Custom)+len(acl.Default) == 0 {
			require.ErrorContains(t, err, "there is no entry")
			return
		}
		require.NoError(t, err)
		require.Equal(t, acl.String(), got.String())
		require.Equal(t, info, got.Info())
	})
}

func TestWhatARuleSaysWrongIsNamed(t *testing.T) {
	right := proto.PolicyEntryInfo{Resource: "Topic:orders", Actions: []string{"Pub"}, Decision: "Allow"}
	for problem, change := range map[string]func(*proto.PolicyEntryInfo){
		`resource "orders"`:             func(e *proto.PolicyEntryInfo) { e.Resource = "orders" },
		`"Topics" is none of`:           func(e *proto.PolicyEntryInfo) { e.Resource = "Topics:orders" },
		`* can only be the last`:        func(e *proto.PolicyEntryInfo) { e.Resource = "Topic:*orders" },
		`write Group:billing`:           func(e *proto.PolicyEntryInfo) { e.Resource = "Topic:%RETRY%billing" },
		`actions: "Publish" is none of`: func(e *proto.PolicyEntryInfo) { e.Actions = []string{"Publish"} },
		`actions: "Any" is none of`:     func(e *proto.PolicyEntryInfo) { e.Actions = []string{"Any"} },
		`actions: none are named`:       func(e *proto.PolicyEntryInfo) { e.Actions = nil },
		`sourceIps: "10.0.0.300"`:       func(e *proto.PolicyEntryInfo) { e.Sources = []string{"10.0.0.300"} },
		`sourceIps: ""`:                 func(e *proto.PolicyEntryInfo) { e.Sources = []string{""} },
		`decision: "Maybe" is neither`:  func(e *proto.PolicyEntryInfo) { e.Decision = "Maybe" },
		`at most 1024 are possible`:     func(e *proto.PolicyEntryInfo) { e.Resource = "Topic:" + strings.Repeat("x", 2000) },
	} {
		wrong := right
		change(&wrong)
		_, err := ParseEntry(wrong)
		require.ErrorContains(t, err, problem)
	}
	_, err := ParseACL(&proto.ACLInfo{Subject: "alice", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{right}}}})
	require.ErrorContains(t, err, `subject "alice"`)
	_, err = ParseACL(&proto.ACLInfo{Subject: "User:alice", Policies: []proto.PolicyInfo{{Type: "Other", Entries: []proto.PolicyEntryInfo{right}}}})
	require.ErrorContains(t, err, `policyType: "Other"`)
	_, err = ParseACL(&proto.ACLInfo{Subject: "User:alice", Policies: []proto.PolicyInfo{{Entries: []proto.PolicyEntryInfo{right, right}}}})
	require.ErrorContains(t, err, "named twice")
}

func TestWordsOfRulesAreReadInAnyCase(t *testing.T) {
	e, err := ParseEntry(proto.PolicyEntryInfo{Resource: "tOPIC:orders", Actions: []string{"pub", " SUB "}, Decision: "deny"})
	require.NoError(t, err)
	require.Equal(t, "Topic:orders Pub,Sub Deny", e.String())
	require.Equal(t, "Group:billing", GroupResource("%RETRY%billing").String())
	require.Equal(t, "Group:billing", TopicResource("%RETRY%billing").String())
	require.Equal(t, "Topic:%DLQ%billing", TopicResource("%DLQ%billing").String())
}

func TestEntriesAreReplacedByResource(t *testing.T) {
	acl := &ACL{User: "alice", Custom: entries(t, "Topic:orders Pub Allow", "Topic:bills Pub Allow")}
	changes := &ACL{User: "alice", Custom: entries(t, "Topic:orders Sub Deny"), Default: entries(t, "* Get Allow")}
	both, err := acl.With(changes)
	require.NoError(t, err)
	require.Equal(t, entries(t, "Topic:orders Sub Deny", "Topic:bills Pub Allow"), both.Custom)
	require.Equal(t, entries(t, "* Get Allow"), both.Default)
	require.Len(t, acl.Custom, 2, "the old one is as it was")
	left, err := both.Without("default", Resource{Kind: KindAny, Pattern: PatternAny})
	require.NoError(t, err)
	require.Empty(t, left.Default)
	left, err = (&ACL{User: "alice", Custom: entries(t, "Topic:orders Pub Allow")}).Without("", TopicResource("orders"))
	require.NoError(t, err)
	require.Nil(t, left)
}
