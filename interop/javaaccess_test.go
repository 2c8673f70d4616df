//go:build interop

package interop_test

import (
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// testJavaAccess lets the Java client sign its requests (AclClientRPCHook), as a user who may send to one topic and consume it.
func testJavaAccess(t *testing.T) {
	s := startGantry(t, "--authenticationEnabled", "true", "--authorizationEnabled", "true",
		"--initAuthenticationUser", `{"username":"root","password":"the password of root"}`,
		"--innerClientAuthenticationCredentials", `{"accessKey":"inner","secretKey":"the secret of servers"}`)
	s.options = []client.Option{client.WithCredentials("root", "the password of root")}
	java := startJava(t, soon)
	b := &bench{s, java, java}
	topic, other := b.makeTopic(t, "signed", 2), b.makeTopic(t, "closed", 2)
	admin := s.admin(t)
	for _, server := range append([]string{s.nameServer}, s.brokers...) {
		require.NoError(t, admin.CreateUser(t.Context(), server, client.UserInfo{Username: "alice", Password: "the password of alice"}))
		require.NoError(t, admin.CreateACL(t.Context(), server, client.ACLInfo{Subject: "User:alice", Policies: []proto.PolicyInfo{{
			Entries: []proto.PolicyEntryInfo{
				{Resource: "Topic:" + topic, Actions: []string{"Pub", "Sub"}, Decision: "Allow"},
				{Resource: "Group:signed", Actions: []string{"Sub"}, Decision: "Allow"},
				// By this the client finds the topic that it may not send to.
				{Resource: "Topic:" + other, Actions: []string{"Sub"}, Decision: "Allow"},
			}}}}))
	}
	signed := func(secret string, words callWords) callWords {
		words["accessKey"], words["secretKey"] = "alice", secret
		return words
	}
	const right = "the password of alice"
	consumer := java.begin(t, s, "push", signed(right, callWords{"group": "signed", "topic": topic})).ready(t)
	messages := numbered("signed", 20)
	b.mustSend(t, signed(right, sendWords(topic, "sync", messages...)))
	require.Equal(t, texts(messages), bodiesSeen(consumer.await(t, 20)))
	consumer.stop(t)
	// The client asks three times, and tells the reason in its log only.
	refused(t, b, signed(right, sendWords(other, "sync", numbered("denied", 1)...)), "Send [3] times, still failed")
	// Who is not let in at all sees no routes, and the client says only that there are none.
	for _, words := range []callWords{
		signed("guessed", sendWords(topic, "sync", numbered("denied", 1)...)), sendWords(topic, "sync", numbered("denied", 1)...),
	} {
		refused(t, b, words, "No route info of this topic")
	}
	require.Equal(t, texts(messages), bodies(b.stored(t, topic)))
	require.Empty(t, b.stored(t, other))
	java.finish(t)
}

// refused sends one message in vain.
func refused(t *testing.T, b *bench, words callWords, because string) {
	t.Helper()
	sent := b.one.begin(t, b.servers, "send", words)
	sent.wait(t)
	require.Contains(t, string(sent.result), because)
}
