package chaos_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// scale is how much is run: "" nothing, "short", or "whole".
func scale() string { return os.Getenv("GANTRY_CHAOS") }

// needs says all that this machine lacks.
func needs() error {
	var missing []error
	if os.Geteuid() != 0 {
		missing = append(missing, errors.New("it must be run as root: it makes network namespaces and mounts file systems"))
	}
	for program, from := range map[string]string{"ip": "iproute2", "mkfs.ext4": "e2fsprogs", "mount": "util-linux", "umount": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: install %s", program, from))
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		missing = append(missing, fmt.Errorf("there are no loop devices: %w", err))
	}
	return errors.Join(missing...)
}

// do runs a command to its end. The error has what it said.
func do(program string, arguments ...string) error {
	output, err := exec.Command(program, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(arguments, " "), err, output)
	}
	return nil
}

// load is how busy the machine was during the last minute, as the kernel counts.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}
