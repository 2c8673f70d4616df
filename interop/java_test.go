//go:build interop

package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// javaProject is a Maven project in a directory of that name. Maven builds it into a temporary directory.
type javaProject struct {
	name    string
	install func() (missing string, err error)
}

// Other releases than those in the files pom.xml are tested with the environment variables ROCKETMQ_VERSION and ROCKETMQ_ADMIN_VERSION.
var (
	javaStore  = newJavaProject("javastore", os.Getenv("ROCKETMQ_VERSION"))
	javaClient = newJavaProject("javaclient", os.Getenv("ROCKETMQ_VERSION"))
	javaAdmin  = newJavaProject("javaadmin", os.Getenv("ROCKETMQ_ADMIN_VERSION"))
)

func newJavaProject(name, version string) *javaProject {
	return &javaProject{name, sync.OnceValues(func() (string, error) { return buildJava(name, version) })}
}

func buildJava(name, version string) (missing string, err error) {
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			return name + " is left out: install a JDK from 11 on and Maven to run it (" + err.Error() + ")", nil
		}
	}
	directory, err := workshop()
	if err != nil {
		return "", err
	}
	arguments := []string{"-q", "-B", "-Doutput=" + filepath.Join(directory, name), "compile"}
	if version != "" {
		arguments = append(arguments, "-Drocketmq.version="+version)
	}
	return "", run(name, "mvn", arguments...)
}

// need skips a test where there is no Java.
func (p *javaProject) need(t *testing.T) {
	t.Helper()
	missing, err := p.install()
	require.NoError(t, err)
	if missing != "" {
		t.Skip(missing)
	}
}

// command runs a class of the project, or of its jars. Options for the virtual machine come before the class.
func (p *javaProject) command(arguments ...string) *exec.Cmd {
	built := filepath.Join(madeIn, p.name)
	classes := filepath.Join(built, "classes")
	// A missing list shows when the class is not found.
	jars, _ := os.ReadFile(filepath.Join(built, "classpath"))
	// The options keep the start short, and the logs out of the home directory.
	options := []string{
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m",
		"-Duser.home=" + built, "-Drmq.logback.configurationFile=" + filepath.Join(classes, "log.xml"),
		"-cp", classes + string(os.PathListSeparator) + strings.TrimSpace(string(jars)),
	}
	command := exec.Command("java", append(options, arguments...)...)
	// The client takes an empty variable for an empty list.
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NAMESRV_ADDR=") })
	return command
}

// javaSeats are the virtual machines that there may be at one time: they need much memory, and all processors while they start.
var javaSeats = make(chan struct{}, 3)

// javaTurn is held while a test takes all seats, so that no two wait for one another with some each.
var javaTurn sync.Mutex

// takeJavaTurn waits until no other test runs virtual machines. The turn ends with the test, after its processes.
func takeJavaTurn(t *testing.T) {
	t.Helper()
	javaTurn.Lock()
	defer javaTurn.Unlock()
	for range cap(javaSeats) {
		javaSeats <- struct{}{}
	}
	t.Cleanup(func() {
		for range cap(javaSeats) {
			<-javaSeats
		}
	})
}
