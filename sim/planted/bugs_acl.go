package planted

// Bugs of access control.
func init() { Bugs = append(Bugs, aclBugs...) }

var aclBugs = []Bug{
	{
		Name:     "let the rule decide that says least of a name",
		Edits:    []Edit{{"node/access/acl.go", "order < 0 || order == 0 && e.Deny", "order > 0"}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name: "compare the beginning of a signature only",
		Edits: []Edit{{
			"transport/signature/verify.go",
			"if subtle.ConstantTimeCompare(contentOf(fields, body, without...).sum(secret), given) == 1 {\n\t\treturn true",
			"if sum := contentOf(fields, body, without...).sum(secret); len(given) == len(sum) && subtle.ConstantTimeCompare(sum[:24], given[:24]) == 1 {\n\t\treturn true",
		}},
		Scenario: "acl", Seeds: 60,
	},
	{
		Name:     "carry out what was denied",
		Edits:    []Edit{{"node/broker/fast.go", "if b.guard.Admit(in) && !b.offMaster(in)", "b.guard.Admit(in)\n\tif !b.offMaster(in)"}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name:     "acknowledge a change of accounts before it is durable",
		Edits:    []Edit{{"node/guard/file.go", "\tif err = disk.Rename(fresh, name); err == nil {\n\t\terr = disk.SyncDir(path.Dir(name))\n\t}\n", "\terr = disk.Rename(fresh, name)\n"}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name:     "acknowledge a change of accounts whose file is not synced",
		Edits:    []Edit{{"node/guard/file.go", "\t\terr = f.Sync(0, int64(len(content)))\n", ""}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name: "let each connection go by the accounts that it has begun with",
		Edits: []Edit{
			{"node/guard/guard.go", "\tgeneration uint64\n", "\tgeneration uint64\n\tbegun map[uint64]*access.Rules\n"},
			{"node/guard/admit.go", "\trules, command, source := g.rules, in.Command, in.Conn.Remote().Addr()\n", "\tif g.begun[in.Conn.ID()] == nil {\n\t\tif g.begun == nil {\n\t\t\tg.begun = map[uint64]*access.Rules{}\n\t\t}\n\t\tg.begun[in.Conn.ID()] = g.rules\n\t}\n\trules, command, source := g.begun[in.Conn.ID()], in.Command, in.Conn.Remote().Addr()\n"},
		},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name:     "go by the topic that whoever ends a transaction says",
		Edits:    []Edit{{"node/broker/trust.go", "\treturn b.guard.Open() || b.guard.Touches(in, access.SendNeed(string(realTopic(half))))\n", "\ttopic := in.Command.Fields.String(\"topic\")\n\treturn topic == \"\" || b.guard.Touches(in, access.SendNeed(topic))\n"}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name: "hand a message to a pull whose rights are gone",
		Edits: []Edit{
			{"node/broker/trust.go", "Changed: b.rightsChanged, ", ""},
			{"node/broker/pull.go", "\tif b.mustAskAgain(p) || b.progress.redirect(p) {\n\t\treturn\n", "\tif b.progress.redirect(p) {\n\t\treturn\n"},
			{"node/broker/pull.go", "\tif b.mustAskAgain(p) || b.progress.redirect(p) {\n\t\t// The group", "\tif b.progress.redirect(p) {\n\t\t// The group"},
		},
		Scenario: "acl", Seeds: 60,
	},
	{
		Name:     "show a message by its place to who may see another topic",
		Edits:    []Edit{{"node/broker/trust.go", "\treturn b.guard.Touches(in, access.Need{Resource: access.TopicResource(string(r.Topic)), Actions: access.ActionGet})\n", "\treturn true\n"}},
		Scenario: "acl", Seeds: 60,
	},
	{
		Name:     "give up a message for who may consume another topic",
		Edits:    []Edit{{"node/broker/trust.go", "\treturn b.guard.Open() || b.guard.Touches(in, access.Need{Resource: access.TopicResource(string(original.Topic)), Actions: access.ActionSub})\n", "\treturn true\n"}},
		Scenario: "acl", Seeds: 60,
	},
	{
		Name:     "decide by accounts that a loss of power takes back",
		Edits:    []Edit{{"node/guard/file.go", "\treturn disk.SyncDir(path.Dir(name))\n}\n\n// replace puts", "\treturn nil\n}\n\n// replace puts"}},
		Scenario: "acl", Seeds: 120,
	},
	{
		Name:     "let users in who are disabled",
		Edits:    []Edit{{"node/access/rules.go", "\tcase user.Disabled:\n\t\treturn nil, reasonDisabled\n", ""}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name:     "go by rules of other addresses",
		Edits:    []Edit{{"node/access/entry.go", "return len(e.Sources) == 0 || slices.ContainsFunc(e.Sources, func(p netip.Prefix) bool { return p.Contains(source) })", "return len(e.Sources) == 0 || slices.ContainsFunc(e.Sources, func(p netip.Prefix) bool { return p.IsValid() })"}},
		Scenario: "acl", Seeds: 30,
	},
	{
		Name:     "write the passwords of new users into the log",
		Edits:    []Edit{{"node/guard/users.go", "\tsuper, _ := g.isSuper(in)\n\tg.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {\n\t\tuser, err := access.User{Name: name}.ApplyInfo(info)\n", "\tsuper, _ := g.isSuper(in)\n\tg.env.Log.Info(info.Password)\n\tg.changeUsers(in, func(a *access.Accounts) (*access.Accounts, error) {\n\t\tuser, err := access.User{Name: name}.ApplyInfo(info)\n"}},
		Scenario: "acl", Seeds: 10,
	},
}
