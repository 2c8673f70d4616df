package env_test

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/gantrymq/gantry/node/env"
	"github.com/stretchr/testify/require"
)

func TestMissingAndTakenNamesAreTheStandardLibrarysErrors(t *testing.T) {
	require.ErrorIs(t, &fs.PathError{Op: "open", Path: "file", Err: fs.ErrNotExist}, env.ErrNotExist)
	require.ErrorIs(t, &fs.PathError{Op: "create", Path: "file", Err: fs.ErrExist}, env.ErrExist)
}

// Errors of different kinds must never match each other, wrapped or not.
func TestErrorsAreDistinct(t *testing.T) {
	all := []error{
		env.ErrNoSpace, env.ErrIO, env.ErrLocked, env.ErrFileClosed, env.ErrNotExist, env.ErrExist,
		env.ErrDeadline, env.ErrConnClosed, env.ErrReset, env.ErrRefused, env.ErrAddressInUse, env.ErrUnknownHost,
	}
	for i, one := range all {
		wrapped := fmt.Errorf("detail: %w", one)
		for j, other := range all {
			if i == j {
				require.ErrorIs(t, wrapped, other)
			} else {
				require.NotErrorIs(t, wrapped, other)
			}
		}
	}
}
