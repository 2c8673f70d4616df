package planted

// Bugs of transactions.
func init() { Bugs = append(Bugs, transactionBugs...) }

var transactionBugs = []Bug{
	{
		Name:     "accept the commit of a transaction that was rolled back",
		Edits:    []Edit{{"node/broker/transactions_end.go", "\toutcome, ended := t.ended[half.QueueOffset]\n", "\toutcome, ended := t.ended[half.QueueOffset]\n\tif h.Outcome == proto.OutcomeCommit && outcome == proto.OutcomeRollback {\n\t\tdelete(t.ended, half.QueueOffset)\n\t\topen, ended = t.begin(half), false\n\t}\n"}},
		Scenario: "transaction", Seeds: 30,
	},
	{
		Name:     "forget at a start which transactions were committed",
		Edits:    []Edit{{"node/broker/transactions.go", "case r.SysFlags.Transaction() == message.TransactionCommitted:", "case false:"}},
		Scenario: "transaction", Seeds: 300,
	},
	{
		Name:     "ask what became of transactions that have ended",
		Edits:    []Edit{{"node/broker/transactions.go", "\tif open := t.open[number]; open != nil {\n\t\theap.Remove(&t.due, open.place)\n\t}\n\tdelete(t.open, number)\n", ""}},
		Scenario: "transaction", Seeds: 60,
	},
	{
		Name:     "show the message of a transaction at once",
		Edits:    []Edit{{"node/broker/send.go", "b.transactions.retarget(&records[0], message.ParseProperties(records[0].Properties))", "b.redirect(&records[0], in, header, 0, 0)"}},
		Scenario: "transaction", Seeds: 30,
	},
	{
		Name:     "give a transaction up twice if the broker dies between the copy and the mark",
		Edits:    []Edit{{"node/broker/transactions.go", "case string(r.Topic) == proto.UncheckableTopic:", "case false:"}},
		Scenario: "transaction", Seeds: 700,
	},
	{
		Name:     "let anybody read the messages of open transactions",
		Edits:    []Edit{{"node/broker/pull.go", "case queue.Topic == proto.HalfTopic:", "case false:"}},
		Scenario: "transaction", Seeds: 10,
	},
	{
		Name:     "redeliver a message of a transaction that is not committed",
		Edits:    []Edit{{"node/broker/redeliver.go", "if proto.IsWaitingTopic(string(original.Topic)) {", "if false {"}},
		Scenario: "transaction", Seeds: 10,
	},
	{
		Name:     "forget at a start which transactions were open",
		Edits:    []Edit{{"node/broker/transactions_file.go", "t.reopen(in.Open)", "t.reopen(nil)"}},
		Scenario: "transaction", Seeds: 100,
	},
}
