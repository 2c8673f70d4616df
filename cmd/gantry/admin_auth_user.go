package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/client"
	"github.com/spf13/cobra"
)

func newCreateUser(f *adminFlags) *cobra.Command {
	var user client.UserInfo
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "createUser",
		Short: "Make a user, who signs requests",
		Long: `Makes a user at a broker, at all masters of a cluster, or at name servers. A user signs requests with the password. Users of the type Super may do
everything, and only they make others; a Normal user may do what createAcl says. -p - reads the password from the standard input, so that nobody sees it on
the command line.`,
		Example: `  gantry admin createUser -n localhost:9876 -c DefaultCluster --nameServers -u alice -p -
  gantry admin createUser -n localhost:9876 -b 192.168.1.2:10911 -u root -p 'a long one' -t Super`,
	}, "make it at", authChange{
		check: func(cmd *cobra.Command) error {
			return errors.Join(wants("username", "password")(cmd), readPassword(&user.Password))
		},
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.CreateUser(ctx, address, user)
		},
		line: "create user to %s success.",
	})
	cmd.Flags().StringVarP(&user.Username, "username", "u", "", "`name` of the user; required")
	cmd.Flags().StringVarP(&user.Password, "password", "p", "", "the `password`, or - to read it from the standard input; required")
	cmd.Flags().StringVarP(&user.Type, "userType", "t", "", "`Super|Normal`; default Normal")
	return cmd
}

func newUpdateUser(f *adminFlags) *cobra.Command {
	var user client.UserInfo
	cmd := newAuthChange(f, &cobra.Command{
		Use:   "updateUser",
		Short: "Change the password, the type or the status of a user",
		Long: `Changes a user at a broker, at all masters of a cluster, or at name servers. What is not named stays as it is. A user who is disabled is let in no more, and
keeps the rights for later.`,
		Example: `  gantry admin updateUser -n localhost:9876 -c DefaultCluster --nameServers -u alice -p -
  gantry admin updateUser -n localhost:9876 -c DefaultCluster -u alice -s disable`,
	}, "change it at", authChange{
		check: func(cmd *cobra.Command) error {
			if user.Password == "" && user.Type == "" && user.Status == "" {
				return errors.Join(wants("username")(cmd), wrongUsage("give -p (--password), -t (--userType) or -s (--userStatus)"))
			}
			return errors.Join(wants("username")(cmd), readPassword(&user.Password))
		},
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.UpdateUser(ctx, address, user)
		},
		line: "update user to %s success.",
	})
	cmd.Flags().StringVarP(&user.Username, "username", "u", "", "`name` of the user; required")
	cmd.Flags().StringVarP(&user.Password, "password", "p", "", "the new `password`, or - to read it from the standard input")
	cmd.Flags().StringVarP(&user.Type, "userType", "t", "", "`Super|Normal`")
	cmd.Flags().StringVarP(&user.Status, "userStatus", "s", "", "`enable|disable`")
	return cmd
}

func newDeleteUser(f *adminFlags) *cobra.Command {
	var name string
	cmd := newAuthChange(f, &cobra.Command{
		Use:     "deleteUser",
		Short:   "Remove a user, and the user's rights",
		Long:    "Removes a user and the user's ACL from a broker, from all masters of a cluster, or from name servers. That there is no such user is no failure.",
		Example: "  gantry admin deleteUser -n localhost:9876 -c DefaultCluster --nameServers -u alice",
	}, "remove it from", authChange{
		check: wants("username"),
		tell: func(ctx context.Context, a *client.Admin, address string) error {
			return a.DeleteUser(ctx, address, name)
		},
		line: "delete user to %s success.",
	})
	cmd.Flags().StringVarP(&name, "username", "u", "", "`name` of the user; required")
	return cmd
}

func newGetUser(f *adminFlags) *cobra.Command {
	var name string
	cmd := newAuthLook(f, &cobra.Command{
		Use:     "getUser",
		Short:   "Show a user",
		Long:    "Shows a user of a broker, of all masters of a cluster, or of name servers. Passwords are not shown.",
		Example: "  gantry admin getUser -n localhost:9876 -c DefaultCluster -u alice",
	}, authLook[[]client.UserInfo]{
		check: wants("username"),
		ask: func(ctx context.Context, a *client.Admin, address string) ([]client.UserInfo, error) {
			user, found, err := a.User(ctx, address, name)
			if err == nil && !found {
				err = fmt.Errorf("there is no user %s at %s", name, address)
			}
			return []client.UserInfo{user}, err
		},
		view: newUsersView,
	})
	cmd.Flags().StringVarP(&name, "username", "u", "", "`name` of the user; required")
	return cmd
}

func newListUser(f *adminFlags) *cobra.Command {
	var filter string
	cmd := newAuthLook(f, &cobra.Command{
		Use:     "listUser",
		Short:   "List users",
		Long:    "Lists the users of a broker, of all masters of a cluster, or of name servers. Passwords are not shown.",
		Example: "  gantry admin listUser -n localhost:9876 -c DefaultCluster --nameServers",
	}, authLook[[]client.UserInfo]{
		check: wants(),
		ask: func(ctx context.Context, a *client.Admin, address string) ([]client.UserInfo, error) {
			return a.Users(ctx, address, filter)
		},
		view: newUsersView,
	})
	cmd.Flags().StringVarP(&filter, "filter", "f", "", "only names that contain this `text`")
	return cmd
}

func newCopyUser(f *adminFlags) *cobra.Command {
	var pair copyPair
	cmd := &cobra.Command{
		Use:   "copyUser",
		Short: "Copy users from one broker to another",
		Long: `Copies users with their passwords from one broker or name server to another; users that are there are changed. Brokers tell passwords to super users
only. Rights are copied by copyAcl.`,
		Example: `  gantry admin copyUser -n localhost:9876 -f 192.168.1.2:10911 -t 192.168.1.3:10911
  gantry admin copyUser -n localhost:9876 -f 192.168.1.2:10911 -t 192.168.1.2:9876 -u alice,ben`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := wants("fromBroker", "toBroker")(cmd); err != nil {
				return err
			}
			return f.with(cmd, func(ctx context.Context, s *session) error { return f.copyUsers(ctx, s.admin, pair) })
		},
	}
	pair.add(cmd, "u", "usernames", "only these `users`, with commas between them")
	return cmd
}

func (f *adminFlags) copyUsers(ctx context.Context, a *client.Admin, pair copyPair) error {
	users, err := a.Users(ctx, pair.from, "")
	if err != nil {
		return err
	}
	users, err = chosen(users, commaList(pair.names), func(u client.UserInfo) string { return u.Username }, pair.from)
	if err != nil {
		return err
	}
	var names []string
	for _, user := range users {
		if user.Password == "" {
			return &failure{code: exitFailed, cause: fmt.Errorf("%s does not tell the password of %s", pair.from, user.Username),
				advice: "it tells passwords to super users only, and to nobody while it lets everybody in: name a super user with --credentials"}
		}
		if err := putUser(ctx, a, pair.to, user); err != nil {
			return err
		}
		names = append(names, user.Username)
	}
	return f.copied("user", pair, names)
}

func putUser(ctx context.Context, a *client.Admin, address string, user client.UserInfo) error {
	_, found, err := a.User(ctx, address, user.Username)
	switch {
	case err != nil:
		return err
	case found:
		return a.UpdateUser(ctx, address, user)
	}
	return a.CreateUser(ctx, address, user)
}

// chosen are those of some names, or all if there are none.
func chosen[T any](all []T, names []string, nameOf func(T) string, where string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	byName := map[string]T{}
	for _, each := range all {
		byName[nameOf(each)] = each
	}
	var some []T
	for _, name := range names {
		each, found := byName[name]
		if !found {
			return nil, fmt.Errorf("%s has no %s", where, name)
		}
		some = append(some, each)
	}
	return some, nil
}
