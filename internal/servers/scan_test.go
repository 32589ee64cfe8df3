package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tree writes files and returns their root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// inWords has what matters of each line.
func inWords(lines []Line) []string {
	var words []string
	for _, l := range lines {
		on := "off"
		if l.FastOpen {
			on = fmt.Sprintf("on %d", l.Queue)
		}
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s %s", l.File, l.Number, l.Address, on, l.Add)))
	}
	return words
}

// scans checks what is found in files.
func scans(t *testing.T, files map[string]string, want []string, problems ...string) {
	t.Helper()
	root := tree(t, files)
	lines, errs := Scan(root)
	if got := inWords(lines); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if len(errs) != len(problems) {
		t.Errorf("got the problems %v, want %q", errs, problems)
		return
	}
	for i, err := range errs {
		if !strings.Contains(err.Error(), problems[i]) || strings.Contains(err.Error(), root) {
			t.Errorf("got the problem %q, want %q", err, problems[i])
		}
	}
}

func TestNothing(t *testing.T) { scans(t, nil, nil) }

func TestScanNginx(t *testing.T) {
	scans(t, map[string]string{
		"/etc/nginx/nginx.conf": `user www-data; # not a listen 1;
events { }
http {
	include mime.types;
	log_format main '$remote_addr "${request}" \'; listen 2;';
	map $x $y { default "a;b"; ~^(listen)$ 3; }
	include /etc/nginx/conf.d/*.conf;
	include sites-enabled/*;
	server {
		server_name a; # no listen: port 80
	}
	server { listen unix:/run/x; listen 443 quic reuseport; }
	server { include listens; location / { return 200 "listen 4"; } }
}
stream { server { listen 53 udp; listen 53; proxy_pass x; } }
mail { server { listen 25; } }
`,
		"/etc/nginx/mime.types":        "types { text/html html; }\n",
		"/etc/nginx/listens":           "listen\n\t[::]:8080\n\tssl;\n",
		"/etc/nginx/conf.d/one.conf":   "server { listen 0.0.0.0:443 ssl; listen [::]:443 ssl fastopen=16; }\nserver {\n listen 443 ssl backlog=100; listen 127.0.0.1; listen localhost:90 fastopen=0; }\n",
		"/etc/nginx/sites-enabled/two": "server {\n\tlisten 443 ssl default_server; listen [::]:443 ssl; listen 8000-8010;\n}\n",
	}, []string{
		"/etc/nginx/conf.d/one.conf:1 *:443 off",
		"/etc/nginx/conf.d/one.conf:1 [::]:443 on 16",
		"/etc/nginx/conf.d/one.conf:3 *:443 off fastopen=256", // which has options of the socket already
		"/etc/nginx/conf.d/one.conf:3 127.0.0.1:80 off fastopen=256",
		"/etc/nginx/conf.d/one.conf:3 localhost:90 off fastopen=256",
		"/etc/nginx/sites-enabled/two:2 *:443 off",
		"/etc/nginx/sites-enabled/two:2 [::]:443 on 16", // by the other line
		"/etc/nginx/sites-enabled/two:2 *:8000-8010 off fastopen=256",
		"/etc/nginx/nginx.conf:9 *:80 off listen 80 fastopen=256;",
		"/etc/nginx/listens:1 [::]:8080 off fastopen=256",
		"/etc/nginx/nginx.conf:15 *:53 off fastopen=256",
	})
}

// The default server's line is the one to change, unless another one has
// options already.
func TestNginxAdvice(t *testing.T) {
	scans(t, map[string]string{"/etc/nginx/nginx.conf": `http {
server { listen 80; }
server { listen 80 default_server; }
server { listen 81; }
server { listen 81; listen *:81; }
server { server_name implied; }
}`}, []string{
		"/etc/nginx/nginx.conf:2 *:80 off",
		"/etc/nginx/nginx.conf:3 *:80 off fastopen=256",
		"/etc/nginx/nginx.conf:4 *:81 off fastopen=256",
		"/etc/nginx/nginx.conf:5 *:81 off",
		"/etc/nginx/nginx.conf:5 *:81 off",
		"/etc/nginx/nginx.conf:6 *:80 off",
	})
}

func TestNginxProblems(t *testing.T) {
	scans(t, map[string]string{
		"/etc/nginx/nginx.conf": "http {\ninclude a.conf;\ninclude none.conf;\ninclude none/*.conf;\nserver { listen 1; }\n",
		"/etc/nginx/a.conf":     "include a.conf; server { listen 2; } }\nserver { listen 3; }\n",
	}, []string{"/etc/nginx/a.conf:1 *:2 off fastopen=256", "/etc/nginx/nginx.conf:5 *:1 off fastopen=256"},
		"/etc/nginx/nginx.conf:1: nginx would not understand this line",
		"/etc/nginx/a.conf:1: nginx would not understand this line",
		"/etc/nginx/a.conf includes itself",
		"/etc/nginx/nginx.conf:3: there is no file /etc/nginx/none.conf to include")
	for _, bad := range []string{"listen 80", "listen", ";", "{}", "http { server { listen 1; }", "a 'b", `a "b;`, "a; }", "a }", "x_by_lua_block { { }"} {
		if list, line := parseNginx(bad); line != 1 {
			t.Errorf("%q: the mistake is in line %d, want 1: %v", bad, line, list)
		}
	}
}

func TestNginxLua(t *testing.T) {
	scans(t, map[string]string{"/etc/nginx/nginx.conf": `http {
init_by_lua_block {
	local a = { "}", '\'}' } -- }
	if a then listen = "it's" end
}
server { listen 1; }
}`}, []string{"/etc/nginx/nginx.conf:6 *:1 off fastopen=256"})
}

func TestScanHAProxy(t *testing.T) {
	scans(t, map[string]string{
		"/etc/haproxy/haproxy.cfg": `global
	stats socket /run/haproxy/admin.sock mode 660
	ssl-default-bind-options ssl-min-ver TLSv1.2
frontend a # bind :1
	bind *:80
	bind :443,:::443 v6only ssl crt "/etc/a b.pem" alpn h2\,http/1.1 tfo
	bind 127.0.0.1:81 crt tfo
	bind unix@/run/a accept-proxy
	bind /run/b
	bind quic4@:443 ssl crt x
	bind ipv4@10.0.0.1:90 name x # tfo
	bind fd@3
bind
	binder :5
`,
		"/etc/haproxy/conf.d/x.cfg": "listen x\n bind 'localhost:8080' tfo\n",
		"/etc/haproxy/conf.d/x.bak": "listen x\n bind :1\n",
	}, []string{
		"/etc/haproxy/haproxy.cfg:5 *:80 off tfo",
		"/etc/haproxy/haproxy.cfg:6 :443,:::443 on 0",
		"/etc/haproxy/haproxy.cfg:7 127.0.0.1:81 off tfo",
		"/etc/haproxy/haproxy.cfg:11 ipv4@10.0.0.1:90 off tfo",
		"/etc/haproxy/conf.d/x.cfg:2 localhost:8080 on 0",
	})
}

// Links stay under the root, and what is no file is not waited for.
func TestScanFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	root := tree(t, map[string]string{
		"/etc/nginx/nginx.conf":        "http {\ninclude sites-enabled/*;\n}\n",
		"/etc/nginx/sites-available/a": "server { listen 1; }\n",
		"/etc/nginx/sites-enabled/b":   "server { listen 2; }\n",
	})
	for name, target := range map[string]string{"a": "/etc/nginx/sites-available/a", "c": "c", "d": ".", "e": "../sites-available/a"} {
		if err := os.Symlink(target, filepath.Join(root, "etc/nginx/sites-enabled", name)); err != nil {
			t.Fatal(err)
		}
	}
	lines, problems := Scan(root)
	if got := inWords(lines); !slices.Equal(got, []string{
		"/etc/nginx/sites-enabled/a:1 *:1 off fastopen=256", "/etc/nginx/sites-enabled/b:1 *:2 off fastopen=256", "/etc/nginx/sites-enabled/e:1 *:1 off",
	}) {
		t.Errorf("got %q", got)
	}
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "sites-enabled/c: too many levels") || !strings.Contains(problems[1].Error(), "sites-enabled/d: it is no file") {
		t.Errorf("got the problems %v", problems)
	}
}

func FuzzNginx(f *testing.F) {
	f.Add("http { server { listen 80 fastopen=9; } }")
	f.Add("a 'b\\'c' \"d\" ${e} \\; # f\n; g_by_lua_block { \"}\" -- }\n }")
	f.Add("a { b { c {")
	f.Fuzz(func(t *testing.T, text string) {
		list, bad := parseNginx(text)
		if lines := 1 + strings.Count(text, "\n"); bad < 0 || bad > lines {
			t.Errorf("%q: the mistake is in line %d of %d", text, bad, lines)
		}
		var check func(list []directive)
		check = func(list []directive) {
			for _, d := range list {
				if len(d.words) == 0 || d.line < 1 {
					t.Errorf("%q: got a directive %+v", text, d)
				}
				check(d.block)
			}
		}
		check(list)
		n := &nginxScan{r: &reader{root: t.TempDir()}, dir: "/"}
		n.walk("x", "main", list)
		advise(n.lines)
	})
}

func FuzzHAProxy(f *testing.F) {
	f.Add("bind *:80 tfo")
	f.Add("bind 'a b' \"c\\\"\" # d")
	f.Add("bind tfo tfo")
	f.Fuzz(func(t *testing.T, line string) {
		words := haproxyWords(line)
		if len(words) < 2 {
			return
		}
		if l, ok := haproxyBind(words); ok && (l.FastOpen != (l.Add == "") || l.Address == "") {
			t.Errorf("%q: got %+v", line, l)
		}
	})
}
