package gantry

import (
	"testing"

	"github.com/gantrymq/gantry/client"
	"github.com/stretchr/testify/require"
)

func TestTheEnvironmentMaySayWhoAsks(t *testing.T) {
	t.Setenv(EnvironmentNameServers, "127.0.0.1:1")
	t.Setenv(EnvironmentAccessKey, "alice")
	_, err := NewAdmin()
	require.ErrorIs(t, err, client.ErrOption, "half of the credentials is none")
	require.ErrorContains(t, err, "WithCredentials")
	t.Setenv(EnvironmentSecretKey, "secret")
	admin, err := NewAdmin()
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))
}
