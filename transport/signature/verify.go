package signature

import (
	"crypto/subtle"

	"github.com/gantrymq/gantry/transport/wire"
)

// Verify reports whether the signature in the fields of a request is that of a secret. The time it takes does not tell how much of a
// signature is right.
//
// Clients differ in two ways, and each is taken as it signs: until 4.9.3 the mark of a query by unique key was added after signing, and the Go
// client sends its security token without signing it.
func Verify(fields wire.Fields, body []byte, version int32, secret string) bool {
	given, signed := fields.Get(FieldSignature)
	if !signed {
		return false
	}
	var without []string
	if version <= wire.V4_9_3 {
		without = append(without, fieldUniqueKeyQuery)
	}
	if subtle.ConstantTimeCompare(contentOf(fields, body, without...).sum(secret), given) == 1 {
		return true
	}
	if _, token := fields.Get(FieldSecurityToken); !token {
		return false
	}
	without = append(without, FieldSecurityToken)
	return subtle.ConstantTimeCompare(contentOf(fields, body, without...).sum(secret), given) == 1
}
