package config

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

const accessExample = `authenticationEnabled=true
authorizationEnabled=true
initAuthenticationUser={"username":"root","password":"very secret"}
innerClientAuthenticationCredentials={"accessKey":"inner","secretKey":"very secret"}
authenticationWhitelist=105,106
authenticationStrategy=org.apache.rocketmq.auth.authentication.strategy.StatefulAuthenticationStrategy
userCacheMaxNum=7
`

func TestKeysOfAccessControlAreThoseOfApache(t *testing.T) {
	for _, load := range []func(Source) (Access, []string, error){
		func(s Source) (Access, []string, error) {
			b, warnings, err := LoadBroker(testMachine, s)
			return b.Access, warnings, err
		},
		func(s Source) (Access, []string, error) {
			n, warnings, err := LoadNameServer(testMachine, s)
			return n.Access, warnings, err
		},
		func(s Source) (Access, []string, error) { return LoadAccess(s) },
	} {
		a, warnings, err := load(fromText(t, accessExample))
		require.NoError(t, err)
		require.Equal(t, Access{
			Authentication: true, Authorization: true, AuthenticationWhitelist: "105,106",
			InitialUser: `{"username":"root","password":"very secret"}`, InnerCredentials: `{"accessKey":"inner","secretKey":"very secret"}`,
		}, a)
		require.Equal(t, []string{"userCacheMaxNum has no effect in Gantry because users and ACLs are in memory: there is no cache to tune"}, warnings)
	}
}

func TestSecretsAreShownNowhere(t *testing.T) {
	b, _, err := LoadBroker(testMachine, fromText(t, accessExample))
	require.NoError(t, err)
	values := map[string]string{}
	for key, value := range Values(&b) {
		require.NotContains(t, value, "secret")
		values[key] = value
	}
	require.Equal(t, Hidden, values["initAuthenticationUser"])
	require.Equal(t, Hidden, values["innerClientAuthenticationCredentials"])
	require.Equal(t, "true", values["authenticationEnabled"])
	var printed bytes.Buffer
	require.NoError(t, Print(&printed, &b, false))
	require.NotContains(t, printed.String(), "very secret")
	require.Contains(t, printed.String(), "# initAuthenticationUser is set, and not shown\n")
}
