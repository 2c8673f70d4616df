package oracle

import (
	"fmt"
	"strings"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/store"
)

// Files verifies the store directory of a broker that is closed: every record of the log, every entry of every queue, and
// that they say the same. It waits for the disk, as a task of e.
func Files(e env.Env, options store.Options) error {
	report, err := store.Check(e, options, nil)
	if err != nil {
		return err
	}
	if len(report.Damage) > 0 {
		return fmt.Errorf("the files contradict each other: %s", strings.Join(report.Damage, "; "))
	}
	if report.KeysAgain > 0 {
		return fmt.Errorf("the key index has %d keys twice, which only a Java broker's has", report.KeysAgain)
	}
	return nil
}
