package lint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var agreedForTests = []dependency{
	{"example.com/used", "a reason", []string{"store"}},
	{"example.com/checks/require", "a reason", []string{"TESTS"}},
	{"example.com/comes", "comes with used", nil},
}

func TestADependencyNobodyAgreedUponIsRejected(t *testing.T) {
	required, err := Required([]byte(`{"Module":{"Path":"m"},"Require":[{"Path":"example.com/used","Version":"v1.0.0"},{"Path":"example.com/checks"},{"Path":"example.com/new","Indirect":true}]}`))
	require.NoError(t, err)
	mustReject(t, CheckRequired(required, agreedForTests), "go.mod", "example.com/new was not agreed upon")
}

func dependencyUse(t *testing.T, file, imported string) []Finding {
	t.Helper()
	return CheckDependencyUse(treeOf(t, file, "package x\n\nimport _ \""+imported+"\"\n"), agreedForTests)
}

func TestADependencyUsedWhereItIsNotAllowedIsRejected(t *testing.T) {
	mustReject(t, dependencyUse(t, "client/a.go", "example.com/used/part"), "client/a.go:3", "is only for [store]")
	mustReject(t, dependencyUse(t, "store/a.go", "example.com/checks/require"), "store/a.go:3", "is only for [TESTS]")
	mustReject(t, dependencyUse(t, "store/a_test.go", "example.com/checks/mock"), "store/a_test.go:3", "example.com/checks/mock was not agreed upon")
	mustReject(t, dependencyUse(t, "store/a.go", "example.com/comes"), "store/a.go:3", "is only for []")
}

func TestADependencyUsedWhereItIsAllowedIsAccepted(t *testing.T) {
	mustAccept(t, dependencyUse(t, "store/a.go", "example.com/used/part"))
	mustAccept(t, dependencyUse(t, "client/a_test.go", "example.com/checks/require"))
}
