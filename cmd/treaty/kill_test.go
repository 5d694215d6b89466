package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/server/folder"
)

// process starts `treaty serve` on a folder as a process of its own and waits until it is ready.
func process(t *testing.T, binary, dir string, more ...string) (*exec.Cmd, folder.Server) {
	t.Helper()
	args := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--proxy", "off", "--listen-http", "127.0.0.1:0", "--log-level", "error"}, more...)
	c := exec.Command(binary, args...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; time.Sleep(2 * time.Millisecond) {
		if s, err := folder.ReadServer(dir); err == nil && s.PID == c.Process.Pid {
			return c, s
		}
	}
	t.Fatal("the server did not get ready")
	return nil, folder.Server{}
}

func pools(t *testing.T, s folder.Server) *cognitoidentity.Client {
	t.Helper()
	c, err := s.ReadCredentials()
	if err != nil {
		t.Fatal(err)
	}
	return cognitoidentity.NewFromConfig(aws.Config{
		Region: s.Region, BaseEndpoint: &s.HTTP, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AWS.AccessKeyID, c.AWS.SecretAccessKey, ""),
	})
}

// The process is killed in the middle of writes of several clients: whatever was acknowledged is there after.
func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	t.Parallel()
	binary, err := exec.LookPath("treaty") // testscript.Main has put this test binary there under that name
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	for round := range 3 {
		cmd, s := process(t, binary, dir)
		client := pools(t, s)
		var mu sync.Mutex
		acknowledged := map[string]string{}
		enough := make(chan struct{})
		var once sync.Once
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprintf("pool %d %d %d", round, worker, i)
					out, err := client.CreateIdentityPool(context.Background(), &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: &name})
					if err != nil {
						once.Do(func() { close(enough) }) // killed, or the test fails below for want of writes
						return
					}
					mu.Lock()
					acknowledged[*out.IdentityPoolId] = name
					n := len(acknowledged)
					mu.Unlock()
					if n >= 40 {
						once.Do(func() { close(enough) })
					}
				}
			})
		}
		<-enough
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		wg.Wait()
		if len(acknowledged) < 40 {
			t.Fatalf("only %d writes were acknowledged", len(acknowledged))
		}
		cmd, s = process(t, binary, dir)
		client = pools(t, s)
		for id, name := range acknowledged {
			out, err := client.DescribeIdentityPool(t.Context(), &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: &id})
			if err != nil || aws.ToString(out.IdentityPoolName) != name {
				t.Errorf("%s %q was acknowledged and is lost: %v", id, name, err)
			}
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("a graceful stop: %v", err)
		}
	}
}
