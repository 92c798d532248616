package greeting

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is a Fairlead test server: it ends when its standard input closes, so also with this process.
type cluster struct {
	Config *rest.Config
	input  io.WriteCloser
	output *bufio.Scanner
	orders int
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	program := os.Getenv("FAIRLEAD")
	if program == "" {
		program = "fairlead"
	}
	command := exec.Command(program, "test-server", "-o", "json")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = input.Close(); _ = command.Wait() })
	c := &cluster{input: input, output: bufio.NewScanner(output)}
	var ready struct{ Kubeconfig string }
	c.read(t, &ready)
	if c.Config, err = clientcmd.BuildConfigFromFlags("", ready.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return c
}

// Order asks something of the cluster itself: to move its clock, to break a part.
func (c *cluster) Order(t *testing.T, method string, params map[string]any) map[string]any {
	t.Helper()
	c.orders++
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.orders, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.input.Write(append(request, '\n')); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Result map[string]any
		Error  *struct{ Message string }
	}
	c.read(t, &answer)
	if answer.Error != nil {
		t.Fatalf("%s: %s", method, answer.Error.Message)
	}
	return answer.Result
}

func (c *cluster) read(t *testing.T, into any) {
	t.Helper()
	if !c.output.Scan() {
		t.Fatal("the test server ended")
	}
	if err := json.Unmarshal(c.output.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}
