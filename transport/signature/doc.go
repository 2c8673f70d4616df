// Package signature proves who has sent a request: an HMAC over the fields and the body, with a secret that both sides know (classes AclSigner and
// AclClientRPCHook). The code, the flags and the opaque number of a request are not part of it, nor is a time: the protocol wants it so, and therefore a
// request that somebody has listened to can be sent again. Encrypt connections where that matters.
//
// The package is pure: it keeps no state and nothing waits.
//
// # The data path
//
// Out: Credentials.Sign → Content.sum. In: Verify → Content.sum, in constant time.
//
// # Files
//
//	doc.go         this
//	content.go     what is signed, and in which order
//	credentials.go who signs
//	verify.go      whether a signature is right
package signature
