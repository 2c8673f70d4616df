package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantrymq/gantry/cmd/gantry/config"
	"github.com/gantrymq/gantry/internal/processtest"
	"github.com/gantrymq/gantry/transport/signature"
	"github.com/stretchr/testify/require"
)

// guardedToTool is standaloneToTool with users only, and root's credentials in the environment.
func guardedToTool(t *testing.T) *toolbox {
	t.Helper()
	if testing.Short() {
		t.Skip("uses real ports and disks")
	}
	inner := `{"accessKey":"root","secretKey":"root's password"}`
	options := StandaloneOptions{Data: t.TempDir(), Address: loopback, SkipSelfTest: true, Access: config.Access{
		Authentication: true, Authorization: true, InnerCredentials: inner,
	}}
	announced, _ := inBackground(t, func(ctx context.Context, out Output) error { return RunStandalone(ctx, options, out) })
	b := &toolbox{t: t, names: announced.waitFor(t, processtest.NameServerStarted)}
	b.broker = announced.waitFor(t, processtest.BrokerStarted("broker-a"))
	announced.waitFor(t, `Stop it with Ctrl-C`)
	t.Setenv(environmentAccessKey, "root")
	t.Setenv(environmentSecretKey, "root's password")
	require.Eventually(t, func() bool {
		code, out, _ := called(t, "mqadmin", "clusterList", "-n", b.names)
		return code == 0 && strings.Contains(out, b.broker)
	}, processtest.Patience, patience, "the broker registers")
	return b
}

func TestToolsLookAfterUsersAndRights(t *testing.T) {
	b := guardedToTool(t)
	passwordInput = strings.NewReader("alice's password\n")
	t.Cleanup(func() { passwordInput = os.Stdin })
	require.Equal(t, "create user to "+b.names+" success.\ncreate user to "+b.broker+" success.\n",
		b.run(0, "createUser -c DefaultCluster --nameServers -u alice -p -"))
	require.Contains(t, b.run(1, "createUser -b "+b.broker+" -u alice -p x"), "the user exists: alice")
	b.run(0, "updateUser -b "+b.broker+" -u alice -s disable")
	require.Contains(t, b.run(0, "getUser -b "+b.broker+" -u alice"), "alice  Normal  disable  "+b.broker)
	var users usersView
	b.json(0, "listUser -b "+b.broker+" -f ali", &users)
	require.Equal(t, []userEntry{{b.broker, "alice", "Normal", "disable"}}, users.Users)
	require.Contains(t, b.run(1, "getUser -b "+b.broker+" -u eve"), "there is no user eve")

	b.run(0, "createAcl -b "+b.broker+" -s User:alice -r Topic:orders,Group:bill* -a Pub,Sub -d Allow -i 10.0.0.0/8")
	b.run(0, "updateAcl -b "+b.broker+" -s User:alice -r Topic:orders -a All -d Deny")
	var acls aclsView
	b.json(0, "getAcl -b "+b.broker+" -s User:alice", &acls)
	require.Equal(t, []aclEntry{
		{b.broker, "User:alice", "Custom", "Topic:orders", []string{"All"}, nil, "Deny"},
		{b.broker, "User:alice", "Custom", "Group:bill*", []string{"Pub", "Sub"}, []string{"10.0.0.0/8"}, "Allow"},
	}, acls.Entries)
	require.Equal(t, "copy acl of User:alice from "+b.broker+" to "+b.names+" success.\n", b.run(0, "copyAcl -f "+b.broker+" -t "+b.names))
	require.Contains(t, b.run(0, "copyUser -f "+b.broker+" -t "+b.names+" -u alice"), "copy user of alice")
	require.Contains(t, b.run(0, "getUser -b "+b.names+" -u alice"), "disable")
	require.Contains(t, b.run(1, "copyUser -f "+b.broker+" -t "+b.names+" -u eve"), "has no eve")
	b.run(0, "deleteAcl -b "+b.broker+" -s User:alice -r Group:bill*")
	require.NotContains(t, b.run(0, "listAcl -b "+b.broker), "bill")
	b.run(0, "deleteAcl -b "+b.broker+" -s User:alice")
	require.Contains(t, b.run(1, "getAcl -b "+b.broker+" -s User:alice"), "has no rights")
	b.run(0, "deleteUser -c DefaultCluster --nameServers -u alice")

	require.Contains(t, b.run(1, "updateAclConfig -b "+b.broker+" -a operator -s 12345678"), "aclEnable")
	require.Contains(t, b.run(1, "clusterAclConfigVersion -c DefaultCluster"), "aclEnable")
	require.Contains(t, b.run(1, "updateBrokerConfig -b "+b.broker+" -k authenticationEnabled -v false"), "read only when the broker starts")
	require.NotContains(t, b.run(0, "getBrokerConfig -b "+b.broker), "root's password")
}

func TestCommandsAboutUsersSayWhatIsWrongWithThem(t *testing.T) {
	for line, problem := range map[string]string{
		"createUser -b x:1 -u alice":                                     "password) is missing",
		"createUser -u alice -p x":                                       "-b (--brokerAddr) or -c (--clusterName)",
		"updateUser -b x:1 -u alice":                                     "give -p (--password), -t (--userType) or -s (--userStatus)",
		"createAcl -b x:1 -s alice -r Topic:orders -a Pub -d Allow":      `subject "alice": write User:name`,
		"createAcl -b x:1 -s User:alice -r orders -a Pub -d Allow":       `resource "orders"`,
		"createAcl -b x:1 -s User:alice -r Topic:orders -a Put -d Allow": `"Put" is none of`,
		"createAcl -b x:1 -s User:alice -r Topic:orders -a Pub -d Maybe": `"Maybe" is neither`,
		"createAcl -b x:1 -s User:alice -r * -a Pub -d Allow -i here":    `"here" is neither an IP address`,
		"listUser -b x:1 --credentials /nowhere":                         "credentials: open /nowhere",
	} {
		code, out, errors := called(t, append([]string{"mqadmin"}, append(strings.Fields(line), "-n", "127.0.0.1:1")...)...)
		require.Equal(t, exitUsage, code, "%s: %s%s", line, out, errors)
		require.Contains(t, errors, problem, line)
	}
}

func TestToolsFindOutWhoTheyAre(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "conf", "tools.yml")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	for _, variable := range []string{environmentAccessKey, environmentSecretKey, environmentSecurityToken, "ROCKETMQ_HOME"} {
		t.Setenv(variable, "")
	}
	who := func(named string) signature.Credentials {
		found, err := (&adminFlags{who: named}).credentials()
		require.NoError(t, err)
		return found
	}
	require.False(t, who("").Valid(), "nobody in particular")
	t.Setenv("ROCKETMQ_HOME", home)
	require.False(t, who("").Valid(), "the file of RocketMQ's tools need not be there")
	require.NoError(t, os.WriteFile(file, []byte("accessKey: rocketmq2\nsecretKey: 12345678\n"), 0o600))
	require.Equal(t, signature.Credentials{AccessKey: "rocketmq2", SecretKey: "12345678"}, who(""))
	t.Setenv(environmentAccessKey, "alice")
	_, err := (&adminFlags{}).credentials()
	require.ErrorContains(t, err, environmentSecretKey)
	t.Setenv(environmentSecretKey, "secret")
	t.Setenv(environmentSecurityToken, "token")
	require.Equal(t, signature.Credentials{AccessKey: "alice", SecretKey: "secret", SecurityToken: "token"}, who(""))
	require.Equal(t, "rocketmq2", who(file).AccessKey, "what is named wins")
	require.NoError(t, os.WriteFile(file, []byte("accessKey: [secret"), 0o600))
	_, err = (&adminFlags{who: file}).credentials()
	require.ErrorContains(t, err, "does not have the lines")
	require.NotContains(t, err.Error(), "[secret")
}

func TestANodeSaysWhoMayDoWhat(t *testing.T) {
	for want, c := range map[string]struct {
		access config.Access
		bind   string
	}{
		"OPEN": {bind: "0.0.0.0"}, "everybody on this machine": {bind: "127.0.0.1"}, "users and their ACLs": {config.Access{Authentication: true, Authorization: true}, "::"},
		"users, who may do everything": {config.Access{Authentication: true}, "::"}, "plain_acl.yml": {config.Access{ACLEnable: true}, "::"},
	} {
		require.Contains(t, accessFact(c.access, c.bind), want)
	}
	for key, access := range map[string]config.Access{
		"authenticationWhitelist": {AuthenticationWhitelist: "x"}, "authorizationWhitelist": {AuthorizationWhitelist: "x"},
		"initAuthenticationUser": {InitialUser: "hush-hush"}, "innerClientAuthenticationCredentials": {InnerCredentials: "hush-hush"},
	} {
		_, err := accessOptions(access)
		require.ErrorContains(t, err, key)
		require.NotContains(t, err.Error(), "hush-hush")
	}
}
