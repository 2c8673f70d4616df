package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

var testKey = [KeySize]byte{1, 2, 3}

func testBox(t require.TestingT) *Box {
	box, err := NewBox(testKey)
	require.NoError(t, err)
	return box
}

// someAccounts are alice, who may send orders, the super user root, and ben, who may do nothing.
func someAccounts(t require.TestingT) *Accounts {
	a, err := (*Accounts)(nil).WithNewUser(User{Name: "alice", Password: "alice's secret"})
	require.NoError(t, err)
	a, err = a.WithNewUser(User{Name: "root", Password: "root's secret", Super: true})
	require.NoError(t, err)
	a, err = a.WithNewUser(User{Name: "ben", Password: "ben's secret", Disabled: true})
	require.NoError(t, err)
	a, err = a.WithACL(&ACL{User: "alice", Custom: entries(t, "Topic:orders Pub Allow 10.0.0.0/8", "Group:bill* Sub Deny"), Default: entries(t, "Topic:* Get Allow")})
	require.NoError(t, err)
	return a
}

func TestChangesOfAccountsLeaveThoseThatDecideAsTheyAre(t *testing.T) {
	before := someAccounts(t)
	after := before.WithoutUser("alice")
	_, there := after.User("alice")
	require.False(t, there)
	require.Nil(t, after.ACL("alice"), "the rights go with the user")
	_, there = before.User("alice")
	require.True(t, there)
	require.NotNil(t, before.ACL("alice"))
}

func TestUsersThatCannotBeAreRefused(t *testing.T) {
	a := someAccounts(t)
	_, err := a.WithNewUser(User{Name: "alice", Password: "x"})
	require.ErrorIs(t, err, ErrUserExists)
	_, err = a.WithUser(User{Name: "eve", Password: "x"})
	require.ErrorIs(t, err, ErrNoUser)
	_, err = a.WithACL(&ACL{User: "eve"})
	require.ErrorIs(t, err, ErrNoUser)
	_, err = a.WithoutACL("ben", "", "")
	require.ErrorIs(t, err, ErrNoACL)
	for problem, user := range map[string]User{
		"username: it is blank": {Password: "x"}, "username: want one line": {Name: "a\nb", Password: "x"}, "password of eve: it is blank": {Name: "eve", Password: " "},
		"more than 1024 bytes": {Name: "eve", Password: strings.Repeat("x", 2000)},
	} {
		_, err := a.WithNewUser(user)
		require.ErrorContains(t, err, problem)
	}
}

func TestARequestChangesOnlyWhatItNames(t *testing.T) {
	alice, _ := someAccounts(t).User("alice")
	changed, err := alice.ApplyInfo(&proto.UserInfo{Status: "Disable"})
	require.NoError(t, err)
	require.Equal(t, User{Name: "alice", Password: "alice's secret", Disabled: true}, changed)
	changed, err = alice.ApplyInfo(&proto.UserInfo{Password: "other secret", Type: "super"})
	require.NoError(t, err)
	require.Equal(t, User{Name: "alice", Password: "other secret", Super: true}, changed)
	_, err = alice.ApplyInfo(&proto.UserInfo{Type: "King"})
	require.ErrorContains(t, err, `userType: "King"`)
	_, err = alice.ApplyInfo(&proto.UserInfo{Status: "ill"})
	require.ErrorContains(t, err, `userStatus: "ill"`)
}

func TestListsAreFilteredByPartsOfNames(t *testing.T) {
	a := someAccounts(t)
	require.Len(t, a.Users(""), 3)
	require.Equal(t, "User:ben (disabled)", a.Users("e")[1].String())
	require.Len(t, a.ACLs("User:al", "orders"), 1)
	require.Equal(t, []Entry{entry(t, "Topic:orders Pub Allow 10.0.0.0/8")}, a.ACLs("", "orders")[0].Custom)
	require.Empty(t, a.ACLs("root", ""))
}

func TestAFileOfAccountsReadsBackAndShowsNoSecret(t *testing.T) {
	a, box, nonce := someAccounts(t), testBox(t), byte(0)
	text := a.Marshal(func(name, password string) string {
		nonce++
		return box.Seal([NonceSize]byte{nonce}, name, password)
	})
	require.NotContains(t, string(text), "secret")
	got, plain, err := ParseAccounts(text, box.Open)
	require.NoError(t, err)
	require.False(t, plain)
	require.Equal(t, a, got)
}

func TestPasswordsThatPeopleHaveWrittenAreFound(t *testing.T) {
	a, plain, err := ParseAccounts([]byte(`{"users":[{"username":"eve","password":"open"}]}`), testBox(t).Open)
	require.NoError(t, err)
	require.True(t, plain)
	eve, _ := a.User("eve")
	require.Equal(t, User{Name: "eve", Password: "open"}, eve)
}

func TestAFileOfAccountsThatContradictsItselfIsRefused(t *testing.T) {
	for problem, text := range map[string]string{
		"user eve: the user is there twice": `{"users":[{"username":"eve","password":"a"},{"username":"eve","password":"b"}]}`,
		"password of eve: it is blank":      `{"users":[{"username":"eve"}]}`,
		"there is no such user":             `{"acls":[{"subject":"User:eve","policies":[{"entries":[{"resource":"*","actions":["All"],"decision":"Allow"}]}]}]}`,
		"cannot be opened":                  `{"users":[{"username":"eve","password":"sealed:v1:AAAA"}]}`,
		`userType: "King"`:                  `{"users":[{"username":"eve","password":"a","userType":"King"}]}`,
		"unexpected end":                    `{"users":[`,
	} {
		_, _, err := ParseAccounts([]byte(text), testBox(t).Open)
		require.ErrorContains(t, err, problem)
	}
}

func TestASealedSecretOpensForItsAccountOnly(t *testing.T) {
	box := testBox(t)
	sealed := box.Seal([NonceSize]byte{7}, "alice", "secret")
	require.True(t, IsSealed(sealed))
	require.NotContains(t, sealed, "secret")
	opened, err := box.Open("alice", sealed)
	require.NoError(t, err)
	require.Equal(t, "secret", opened)
	_, err = box.Open("ben", sealed)
	require.ErrorIs(t, err, ErrUnsealed)
	other, err := NewBox([KeySize]byte{9})
	require.NoError(t, err)
	_, err = other.Open("alice", sealed)
	require.ErrorIs(t, err, ErrUnsealed)
	_, err = box.Open("alice", sealed[:len(sealed)-4])
	require.ErrorIs(t, err, ErrUnsealed)
}

func TestUsersShowNoSecrets(t *testing.T) {
	for _, user := range someAccounts(t).Users("") {
		info := user.Info()
		for _, text := range []string{user.String(), fmt.Sprintf("%+v %#v", user, user), string(info.Marshal())} {
			require.NotContains(t, text, "secret")
		}
	}
}

func FuzzParseAccountsReadsBackWhatItTakes(f *testing.F) {
	f.Add([]byte(`{"users":[{"username":"eve","password":"open","userType":"Super"}],"acls":[{"subject":"User:eve","policies":[{"entries":[{"resource":"*","actions":["All"],"decision":"Allow","sourceIps":["10.0.0.0/8"]}]}]}]}`))
	open := func(_, password string) (string, error) {
		if IsSealed(password) {
			return "", errors.New("no key")
		}
		return password, nil
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, _, err := ParseAccounts(text, open)
		if err != nil {
			return
		}
		again, _, err := ParseAccounts(a.Marshal(func(_, password string) string { return password }), open)
		require.NoError(t, err)
		require.Equal(t, a.String(), again.String())
		require.Equal(t, a.Users(""), again.Users(""))
	})
}
