package signature

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gantrymq/gantry/transport/wire"
)

func fieldsOf(pairs ...string) (fields wire.Fields) {
	for i := 0; i < len(pairs); i += 2 {
		fields.Add(pairs[i], pairs[i+1])
	}
	return fields
}

func TestSignaturesAreThoseOfTheProtocol(t *testing.T) {
	// The content "AKT" with the key "SK", as the description of the protocol has it.
	added := Credentials{AccessKey: "AK", SecretKey: "SK"}.Sign(fieldsOf("topic", "T"), nil)
	require.Equal(t, "AK", added.String(FieldAccessKey))
	require.Equal(t, "KUCQ7Ec5a0Z1UFtFQ5VEs/mE8XA=", added.String(FieldSignature))
}

// Values that OpenSSL has computed: printf %s CONTENT | openssl dgst -sha1 -hmac KEY -binary | base64.
func TestSignaturesAreThoseOfOtherPrograms(t *testing.T) {
	for _, golden := range []struct {
		credentials Credentials
		fields      wire.Fields
		body        string
		signature   string
	}{
		// RocketMQorders3hello with 12345678
		{Credentials{AccessKey: "RocketMQ", SecretKey: "12345678"}, fieldsOf("queueId", "3", "b", "orders"), "hello", "yE1NoqdLiNhH+H6NnAHciR011G0="},
		// RocketMQtokenorders with 12345678
		{Credentials{AccessKey: "RocketMQ", SecretKey: "12345678", SecurityToken: "token"}, fieldsOf("topic", "orders"), "", "bbfE1bTZx3u+8+vbsfOrbur5nJk="},
	} {
		require.Equal(t, golden.signature, golden.credentials.Sign(golden.fields, []byte(golden.body)).String(FieldSignature))
	}
}

func TestAStringOfCredentialsTellsNoSecret(t *testing.T) {
	c := Credentials{AccessKey: "orders", SecretKey: "very secret", SecurityToken: "token"}
	for _, text := range []string{c.String(), fmt.Sprint(c), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		require.NotContains(t, text, "secret")
		require.NotContains(t, text, "token")
		require.Contains(t, text, "orders")
	}
}

func TestTheLastOfFieldsWithTheSameKeyIsSigned(t *testing.T) {
	c := Credentials{AccessKey: "AK", SecretKey: "SK"}
	twice := fieldsOf("topic", "other", "topic", "T")
	require.Equal(t, c.Sign(fieldsOf("topic", "T"), nil), c.Sign(twice, nil))
}

func TestTheMarkOfAUniqueKeyIsNotSignedByOldClients(t *testing.T) {
	c := Credentials{AccessKey: "AK", SecretKey: "SK"}
	query := fieldsOf("key", "K", "topic", "T")
	marked := append(append(slices.Clone(query), c.Sign(query, nil)...), fieldsOf(fieldUniqueKeyQuery, "true")...)
	require.True(t, Verify(marked, nil, wire.V4_9_3, "SK"))
	require.False(t, Verify(marked, nil, wire.V4_9_4, "SK"))
}

func TestATokenThatIsNotSignedIsTakenAsTheGoClientSendsIt(t *testing.T) {
	signed := Credentials{AccessKey: "AK", SecretKey: "SK"}.Sign(nil, nil)
	require.True(t, Verify(append(signed, fieldsOf(FieldSecurityToken, "token")...), nil, wire.OwnVersion, "SK"))
}

func TestWhatWasSignedIsVerifiedAndWhatWasChangedIsNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Credentials{
			AccessKey: rapid.StringN(1, 8, -1).Draw(t, "access key"), SecretKey: rapid.StringN(1, 8, -1).Draw(t, "secret"),
			SecurityToken: rapid.SampledFrom([]string{"", "token"}).Draw(t, "token"),
		}
		var fields wire.Fields
		for key, value := range rapid.MapOf(rapid.StringMatching(`[a-z]{1,6}`), rapid.String()).Draw(t, "fields") {
			fields.Add(key, value)
		}
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		request := append(slices.Clone(fields), c.Sign(fields, body)...)
		// The order in which fields are sent does not matter.
		shuffled := wire.Fields(rapid.Permutation(request).Draw(t, "order"))
		if !Verify(shuffled, body, wire.OwnVersion, c.SecretKey) {
			t.Fatalf("a right signature was refused")
		}
		if Verify(shuffled, append(body, 'x'), wire.OwnVersion, c.SecretKey) {
			t.Fatalf("another body was taken")
		}
		if Verify(shuffled, body, wire.OwnVersion, c.SecretKey+"x") {
			t.Fatalf("another secret was taken")
		}
	})
}

func TestKeysAreInTheOrderOfTheirUTF16Units(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		// A shared beginning makes later differences count.
		if rapid.Bool().Draw(t, "alike") {
			b = a + b
		}
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		if got := compareKeys([]byte(a), []byte(b)); got != want {
			t.Fatalf("%q and %q: got %d, want %d", a, b, got, want)
		}
	})
	require.Equal(t, 1, compareKeys([]byte("\uffee"), []byte("\U0001f680")))
}

func TestARequestWithoutASignatureIsRefused(t *testing.T) {
	require.False(t, Verify(fieldsOf(FieldAccessKey, "AK"), nil, wire.OwnVersion, "SK"))
	require.False(t, Verify(fieldsOf(FieldAccessKey, "AK", FieldSignature, ""), nil, wire.OwnVersion, "SK"))
	require.False(t, Verify(fieldsOf(FieldAccessKey, "AK", FieldSignature, strings.Repeat("A", 27)+"="), nil, wire.OwnVersion, "SK"))
}

func FuzzVerifyTakesOnlyWhatWasSigned(f *testing.F) {
	f.Add("topic", "T", []byte("body"), []byte("KUCQ7Ec5a0Z1UFtFQ5VEs/mE8XA="))
	f.Fuzz(func(t *testing.T, key, value string, body, given []byte) {
		fields := wire.Fields{{Key: []byte(key), Value: []byte(value)}, {Key: []byte(FieldSignature), Value: given}}
		if Verify(fields, body, wire.OwnVersion, "SK") {
			require.Equal(t, string(contentOf(fields, body).sum("SK")), fields.String(FieldSignature))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	c := Credentials{AccessKey: "AK", SecretKey: "12345678"}
	fields := fieldsOf("a", "group", "b", "orders", "c", "TBW102", "d", "4", "e", "3", "f", "0", "g", "1700000000000", "h", "0", "i", "KEYS\x01order-17\x02")
	body := make([]byte, 1024)
	fields = append(fields, c.Sign(fields, body)...)
	b.ReportAllocs()
	for b.Loop() {
		Verify(fields, body, wire.OwnVersion, c.SecretKey)
	}
}
