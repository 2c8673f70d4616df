// Package access decides who may do what: it knows users with their ACLs (class AuthorizationEvaluator and its like, since 5.3), the accounts of
// ACL 1.0 (plain_acl.yml), and what each request needs. It is pure: it keeps no state, reads no file and asks for no time.
//
// # How a request is decided
//
// With users: the signature says who asks. A super user may do everything. Of all others each thing that the request touches needs one action on one
// resource, and for each of them the entries of the user that cover the resource, the action and the address are looked at: those of the Custom policy, or
// if none of them matches, those of the Default policy. The entry whose resource says most decides: a kind before any kind, a literal name before
// a prefix, a longer prefix before a shorter one. If no entry matches, the request is denied. A policy has one entry for a resource, so the order of entries
// says nothing; Java's broker, which can hold two, takes the one that allows.
//
// With ACL 1.0: first the addresses from which everything is allowed, then the signature, then admin: true, then what the account may do with the topics and
// groups that the request touches.
//
// A Decision names the account and the rule that has decided, in one line.
//
// # The data path
//
// Rules.Decide → authenticate (signature.Verify) → needsOf (demands, gather.go) → ACL.decide → strongest; or Plain.decide → plainAccount.weigh.
//
// # Files
//
//	rules.go       Rules and how they decide
//	decision.go    what they say
//	demand.go      what each request code needs
//	gather.go      how that is read from a request
//	need.go        a resource and actions
//	action.go, resource.go, entry.go, acl.go   rules of users
//	accounts.go    users
//	document.go    the file of users and ACLs
//	plain.go, plain_address.go, plain_file.go  ACL 1.0
//	migrate.go     users out of accounts of ACL 1.0
//	seal.go        secrets in files
package access
