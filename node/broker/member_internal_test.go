package broker

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// A member registers before it is master, when its replication port is not open: what it tells is where copies will look.
func TestAMemberTellsTheReplicationPortOfItsSettingsBeforeItIsOpen(t *testing.T) {
	given := netip.MustParseAddrPort("10.0.0.1:10911")
	for listen, want := range map[string]string{
		"0.0.0.0:7000": "10.0.0.1:7000", "[::]:7000": "10.0.0.1:7000", ":10912": "10.0.0.1:10912",
		// Any port, or none: nobody knows better than the usual one.
		"0.0.0.0:0": "10.0.0.1:10912", "": "10.0.0.1:10912",
	} {
		m := &Member{options: Options{Replication: Replication{Listen: listen}}, given: given}
		require.Equal(t, want, m.haAddress(), listen)
		m.options.Replication.AdvertisedIP = netip.MustParseAddr("10.1.0.1")
		require.Equal(t, "10.1"+want[len("10.0"):], m.haAddress(), listen)
	}
}
