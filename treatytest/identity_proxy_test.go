package treatytest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Who speaks to the proxy itself, and how it writes the address of the metadata service.
func TestTheProxyKnowsTheMetadataServiceByItsNamesAlone(t *testing.T) {
	t.Parallel()
	tt := Config{listen: true}.New(t)
	tt.AddMachine("default", "vm", true)
	tt.AddMachine("other", "vm", true)
	const path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/"
	// say writes requests to one connection, and gives the status of the last answer and what it held.
	say := func(address string, requests ...string) string {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Minute)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		r, said := bufio.NewReader(conn), ""
		for _, request := range requests {
			fmt.Fprintf(conn, "%s\r\nMetadata: true\r\n\r\n", request)
			method, _, _ := strings.Cut(request, " ")
			res, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				return err.Error()
			}
			if said = fmt.Sprint(res.StatusCode); method != "CONNECT" {
				body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
				if strings.Contains(string(body), "access_token") {
					said += " token"
				}
			}
			res.Body.Close()
		}
		return said
	}
	get := func(target, host string) string { return "GET " + target + " HTTP/1.1\r\nHost: " + host }
	connect := func(target string) string { return "CONNECT " + target + " HTTP/1.1\r\nHost: " + target }
	proxy, plain := tt.server.ProxyURL(), tt.server.HTTPURL()
	own := strings.TrimPrefix(proxy, "http://")
	for name, c := range map[string]struct {
		at       string
		requests []string
		want     string // "" is any refusal
	}{
		"as clients write it":                     {proxy, []string{get("http://169.254.169.254"+path, "169.254.169.254")}, "200 token"},
		"with its port":                           {proxy, []string{get("http://169.254.169.254:80"+path, "169.254.169.254:80")}, "200 token"},
		"with another Host, which does not count": {proxy, []string{get("http://169.254.169.254"+path, "evil.example")}, "200 token"},
		"to the proxy's own address":              {proxy, []string{get(path, own)}, "200 token"},
		"of a machine by name":                    {proxy, []string{get("/machines/other"+path, own)}, "200 token"},
		"of a machine in capitals":                {proxy, []string{get("/machines/OTHER"+path, own)}, "200 token"},
		"of a machine that is not":                {proxy, []string{get("/machines/nobody"+path, own)}, ""},
		"of a machine behind a path":              {proxy, []string{get("/machines/nobody/../other"+path, own)}, ""},
		"of a machine behind an encoded path":     {proxy, []string{get("/machines/nobody%2f..%2fother"+path, own)}, ""},
		"to a page's name":                        {proxy, []string{get(path, "evil.example")}, "403"},
		"of a machine to a page's name":           {proxy, []string{get("/machines/other"+path, "evil.example")}, "403"},
		"to a page's name in absolute form":       {proxy, []string{get("http://evil.invalid"+path, own)}, ""},
		"to Google's name":                        {proxy, []string{get("http://metadata.google.internal"+path, own)}, "403"},
		"by https":                                {proxy, []string{get("https://169.254.169.254"+path, own)}, "403"},
		"by ftp":                                  {proxy, []string{get("ftp://169.254.169.254"+path, own)}, "403"},
		"in IPv6":                                 {proxy, []string{get("http://[::ffff:169.254.169.254]"+path, own)}, "403"},
		"in IPv6, in hexadecimal":                 {proxy, []string{get("http://[::ffff:a9fe:a9fe]"+path, own)}, "403"},
		"as one number":                           {proxy, []string{get("http://2852039166"+path, own)}, ""},
		"in octal":                                {proxy, []string{get("http://0251.0376.0251.0376"+path, own)}, ""},
		"behind a user":                           {proxy, []string{get("http://169.254.169.254@evil.invalid"+path, own)}, ""},
		"as a user":                               {proxy, []string{get("http://evil@169.254.169.254"+path, own)}, "200 token"},
		"with two slashes":                        {proxy, []string{get("/"+path, own)}, ""},
		"with a path that climbs":                 {proxy, []string{get("/machines/../metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", own)}, ""},
		"on the listener of AWS's plain APIs":     {plain, []string{get(path, strings.TrimPrefix(plain, "http://"))}, ""},
		"there under the address":                 {plain, []string{get("http://169.254.169.254"+path, "169.254.169.254")}, ""},
		"Wire Server":                             {proxy, []string{get("http://168.63.129.16/machine?comp=goalstate", "168.63.129.16")}, "403"},
		"ECS's credentials":                       {proxy, []string{get("http://169.254.170.2/v2/credentials", "169.254.170.2")}, "403"},
		"EC2's in IPv6":                           {proxy, []string{get("http://[fd00:ec2::254]/latest/meta-data/", "x")}, "403"},
		"a tunnel in TLS":                         {proxy, []string{connect("169.254.169.254:443")}, "403"},
		"a tunnel to another port":                {proxy, []string{connect("169.254.169.254:8080")}, "403"},
		"a tunnel in IPv6":                        {proxy, []string{connect("[::ffff:169.254.169.254]:80")}, "403"},
		"a tunnel, and then the service":          {proxy, []string{connect("169.254.169.254:80"), get(path, "169.254.169.254")}, "200 token"},
		"a tunnel, and then a page's name":        {proxy, []string{connect("169.254.169.254:80"), get(path, "evil.example")}, "403"},
		"a tunnel, and then a tunnel elsewhere":   {proxy, []string{connect("169.254.169.254:80"), connect("168.63.129.16:80")}, "403"},
		"a tunnel, and then the same tunnel":      {proxy, []string{connect("169.254.169.254:80"), connect("169.254.169.254:80")}, "403"},
		"a tunnel, and then a host of the world":  {proxy, []string{connect("169.254.169.254:80"), get("http://"+strings.TrimPrefix(plain, "http://")+"/healthz", "x")}, "403"},
		"a tunnel, and then ECS":                  {proxy, []string{connect("169.254.169.254:80"), get("http://169.254.170.2/v2/credentials", "169.254.170.2")}, "403"},
		"a tunnel to the plain APIs' address":     {proxy, []string{connect(strings.TrimPrefix(plain, "http://")), get(path, "169.254.169.254")}, ""},
	} {
		if got := say(c.at, c.requests...); c.want != "" && got != c.want || strings.HasPrefix(got, "2") && c.want == "" || strings.Contains(got, "token") != strings.Contains(c.want, "token") {
			t.Errorf("%s: got %s, want %s", name, got, cmpOr(c.want, "a refusal"))
		}
	}
}
