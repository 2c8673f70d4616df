package proto

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed reads "code NAME" lines written down from the protocol's tables.
func listed(t *testing.T, file string) map[int32]string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	names := map[int32]string{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] != "#" {
			code, err := strconv.ParseInt(fields[0], 10, 32)
			require.NoError(t, err)
			names[int32(code)] = fields[1]
		}
	}
	return names
}

// declared is a constant and the first word of its comment.
type declared struct {
	constant, word string
	code           int32
}

func constants(t *testing.T, file string) []declared {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	require.NoError(t, err)
	var found []declared
	ast.Inspect(tree, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Comment == nil {
			return true
		}
		word, _, _ := strings.Cut(strings.TrimSpace(spec.Comment.Text()), ":")
		found = append(found, declared{spec.Names[0].Name, word, int32(constantValue(t, spec.Values[0]))})
		return true
	})
	return found
}

func constantValue(t *testing.T, value ast.Expr) int64 {
	t.Helper()
	sign := int64(1)
	if unary, ok := value.(*ast.UnaryExpr); ok {
		sign, value = -1, unary.X
	}
	n, err := strconv.ParseInt(value.(*ast.BasicLit).Value, 10, 32)
	require.NoError(t, err)
	return sign * n
}

func TestEveryRequestCodeHasItsConstantAndName(t *testing.T) {
	want := listed(t, "testdata/request_codes.txt")
	require.Len(t, want, 164)
	require.Equal(t, want, requestNames)
	found := constants(t, "request_codes.go")
	require.Len(t, found, len(want), "one constant for each code")
	for _, c := range found {
		require.Equal(t, want[c.code], c.word, "comment of %s", c.constant)
	}
}

func TestEveryResponseCodeHasItsConstantAndName(t *testing.T) {
	want := listed(t, "testdata/response_codes.txt")
	require.Len(t, want, 66)
	require.Equal(t, want, responseNames)
	older := map[string]int32{
		"UPDATE_AND_CREATE_ACL_CONFIG_FAILED":     RespPollingFull,
		"DELETE_ACL_CONFIG_FAILED":                RespPollingTimeout,
		"UPDATE_GLOBAL_WHITE_ADDRS_CONFIG_FAILED": RespBrokerNotExist,
	}
	found := constants(t, "response_codes.go")
	require.Len(t, found, len(want)+len(older))
	for _, c := range found {
		if code, ok := older[c.word]; ok {
			require.Equal(t, code, c.code, "older meaning %s", c.constant)
			continue
		}
		require.Equal(t, want[c.code], c.word, "comment of %s", c.constant)
	}
}

func TestNamesOfCodesFallBackToTheNumber(t *testing.T) {
	require.Equal(t, "SEND_MESSAGE_V2", RequestName(ReqSendMessageV2))
	require.Equal(t, "request 99999", RequestName(99999))
	require.Equal(t, "TOPIC_NOT_EXIST", ResponseName(RespTopicNotExist))
	require.Equal(t, "POLLING_FULL", ResponseName(209))
	require.Equal(t, "response -7", ResponseName(-7))
}
