// Package guard stands before the requests of a node: it asks package access whether each may be carried out, answers those that may not, keeps the
// accounts and their files, and writes the audit log. Brokers and name servers have one each.
//
// # Who owns the state
//
// A Guard owns the accounts and the key of their secrets. Everything runs with the node's baton held. The rules that decide are replaced as a whole,
// so a request is decided by one state of them.
//
// # Which calls wait
//
// Load, and Serve for requests that change something, wait for the disk. Admit waits only for signatures of large bodies, which are
// computed without the baton.
//
// # What is durable
//
// A change of accounts, when it is answered. Secrets in the file of users are sealed with a key that is made when it is first needed, in a file that only
// the node's user may read. In plain_acl.yml secrets stand as its writer has left them, until a request changes the file: then they are sealed as well. What is
// read of any of these files is made durable before it decides.
//
// # Files that change
//
// Files of accounts are looked at every Options.ReloadEvery while access control is on, and before each change. A file that cannot be read is logged, and the
// accounts stay as they were.
//
// # The audit log
//
// Lines of the logger "audit": each denial, and each request of administration that was allowed, with who asked, from where, for what, and which rule
// has decided. They hold no secrets.
//
// # The data path
//
// transport → Guard.Admit → access.Rules.Decide → audit; then the handler, which for requests about accounts is Guard.Serve → change → save.
//
// # Files
//
//	guard.go     New, Load, Start, Close
//	options.go   settings
//	admit.go     whether requests are carried out
//	audit.go     what is recorded
//	users.go     requests about users
//	acls.go      requests about their rights
//	plain.go     requests about accounts of ACL 1.0
//	accounts.go  the file of users
//	plainfiles.go the files of ACL 1.0
//	secret.go    the key of secrets
//	file.go      files that are replaced as a whole
package guard
