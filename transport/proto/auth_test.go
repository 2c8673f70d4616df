package proto

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeadersOfAccessControlSurviveAFrame(t *testing.T) {
	t.Run("UpdateAndCreateACLConfig", func(t *testing.T) {
		survives(t, func(h *UpdateAndCreateACLConfig) {
			unset(&h.WhiteRemoteAddress)
			joinable(&h.TopicPerms, ",")
			joinable(&h.GroupPerms, ",")
		})
	})
	t.Run("DeleteACLConfig", func(t *testing.T) { survives[DeleteACLConfig](t, nil) })
	t.Run("UpdateGlobalWhiteAddressesConfig", func(t *testing.T) {
		survives(t, func(h *UpdateGlobalWhiteAddressesConfig) { joinable(&h.Addresses, ",") })
	})
	t.Run("AuthUser", func(t *testing.T) { survives[AuthUser](t, nil) })
	t.Run("AuthListUser", func(t *testing.T) { survives[AuthListUser](t, nil) })
	t.Run("AuthACL", func(t *testing.T) { survives[AuthACL](t, nil) })
	t.Run("AuthDeleteACL", func(t *testing.T) { survives[AuthDeleteACL](t, nil) })
	t.Run("AuthListACL", func(t *testing.T) { survives[AuthListACL](t, nil) })
	t.Run("ACLInfoResponse", func(t *testing.T) {
		survives(t, func(h *ACLInfoResponse) {
			if h.Files == nil {
				h.Files = map[string]DataVersion{}
			}
		})
	})
}

// The examples are those of the description of the protocol.
func TestUsersAndRightsAreWrittenAsJavaWritesThem(t *testing.T) {
	user := &UserInfo{Username: "alice", Password: "12345678", Type: UserNormal, Status: UserEnabled}
	require.Equal(t, `{"password":"12345678","userStatus":"enable","userType":"Normal","username":"alice"}`, string(user.Marshal()))
	acl := &ACLInfo{Subject: "User:alice", Policies: []PolicyInfo{{Type: PolicyCustom, Entries: []PolicyEntryInfo{
		{Resource: "Topic:T", Actions: []string{"Pub", "Sub"}, Sources: []string{"10.0.0.0/8"}, Decision: DecisionAllow}}}}}
	require.Equal(t, `{"policies":[{"entries":[{"actions":["Pub","Sub"],"decision":"Allow","resource":"Topic:T","sourceIps":["10.0.0.0/8"]}],`+
		`"policyType":"Custom"}],"subject":"User:alice"}`, string(acl.Marshal()))
}

func TestBodiesOfAccessControlSurviveAFrame(t *testing.T) {
	t.Run("UserInfo", func(t *testing.T) { bodySurvives(t, (*UserInfo).Marshal, UnmarshalUserInfo, func(*UserInfo) {}) })
	t.Run("AclInfo", func(t *testing.T) {
		bodySurvives(t, (*ACLInfo).Marshal, UnmarshalACLInfo, func(a *ACLInfo) {
			tidyEmpty(&a.Policies)
			for i := range a.Policies {
				tidyEmpty(&a.Policies[i].Entries)
				for j := range a.Policies[i].Entries {
					arrayed(&a.Policies[i].Entries[j].Actions)
					tidyEmpty(&a.Policies[i].Entries[j].Sources)
				}
			}
		})
	})
	t.Run("AclConfig", func(t *testing.T) {
		bodySurvives(t, (*ACLConfig).Marshal, UnmarshalACLConfig, func(c *ACLConfig) {
			arrayed(&c.WhiteAddresses)
			tidyEmpty(&c.Accounts)
			for i := range c.Accounts {
				arrayed(&c.Accounts[i].TopicPerms)
				arrayed(&c.Accounts[i].GroupPerms)
			}
		})
	})
}

func tidyEmpty[S any](list *[]S) {
	if len(*list) == 0 {
		*list = nil
	}
}

func TestListsOfUsersAndRightsMayHaveNoBody(t *testing.T) {
	users, err := UnmarshalUsers(nil)
	require.NoError(t, err)
	require.Empty(t, users)
	acls, err := UnmarshalACLs(nil)
	require.NoError(t, err)
	require.Empty(t, acls)
	two := []UserInfo{{Username: "a", Type: UserSuper}, {Username: "b"}}
	users, err = UnmarshalUsers(MarshalUsers(two))
	require.NoError(t, err)
	require.Equal(t, two, users)
	rights := []ACLInfo{{Subject: "User:a"}, {Subject: "User:b"}}
	acls, err = UnmarshalACLs(MarshalACLs(rights))
	require.NoError(t, err)
	require.Equal(t, rights, acls)
}

func TestNothingThatIsLoggedTellsASecret(t *testing.T) {
	for _, value := range []any{
		UserInfo{Username: "alice", Password: "very secret"}, &UserInfo{Username: "alice", Password: "very secret"},
		PlainAccount{AccessKey: "alice", SecretKey: "very secret"},
		&UpdateAndCreateACLConfig{AccessKey: "alice", SecretKey: "very secret"},
	} {
		for _, text := range []string{fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%s", value)} {
			require.Contains(t, text, "alice")
			require.NotContains(t, text, "secret")
		}
	}
}
