package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// parseURL reads a URL as people type it: without a scheme it is http.
func parseURL(text string) (*url.URL, error) {
	full := text
	if !strings.Contains(text, "://") {
		full = "http://" + text
	}
	u, err := url.Parse(full)
	if err != nil {
		if e, ok := err.(*url.Error); ok {
			err = e.Err
		}
		return nil, usagef("%q is no URL: %w", text, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, usagef("%q begins with %s://: only http:// and https:// can be fetched", text, u.Scheme)
	case u.Hostname() == "":
		return nil, usagef("%q names no host: write it as http://HOST/PATH", text)
	}
	if port := u.Port(); port != "" {
		if _, err := net.LookupPort("tcp", port); err != nil {
			return nil, usagef("%q has the port %s: a port is a number from 0 to 65535", text, port)
		}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// A recipe is what the flags say of every request.
type recipe struct {
	method string
	header http.Header
	host   string
	body   []byte // nil for none
}

// newRecipe reads the flags, and the files that -d names.
func newRecipe(f *getFlags, stdin io.Reader) (*recipe, error) {
	t := &recipe{method: http.MethodGet, header: http.Header{}}
	t.header.Set("User-Agent", "tfo/"+strings.Fields(moduleVersion())[0])
	t.header.Set("Accept", "*/*")
	if len(f.data) > 0 {
		var err error
		if t.body, err = readData(f.data, stdin); err != nil {
			return nil, err
		}
		t.method = http.MethodPost
		t.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if f.head {
		t.method = http.MethodHead
	}
	if f.method != "" {
		t.method = f.method
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, usagef("-H %q is no header: write 'Name: value'", h)
		}
		switch value = strings.TrimSpace(value); {
		case strings.EqualFold(name, "Host"):
			t.host = value
		case value == "":
			t.header[http.CanonicalHeaderKey(name)] = nil // net/http then sends none of its own
		case len(t.header[http.CanonicalHeaderKey(name)]) > 0 && isDefault(name):
			t.header.Set(name, value)
		default:
			t.header.Add(name, value)
		}
	}
	return t, nil
}

// isDefault says that tfo get itself sends such a header.
func isDefault(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "User-Agent", "Accept", "Content-Type":
		return true
	}
	return false
}

// readData joins the values of -d with &, as curl does.
func readData(values []string, stdin io.Reader) ([]byte, error) {
	var parts [][]byte
	for _, v := range values {
		name, isFile := strings.CutPrefix(v, "@")
		part := []byte(v)
		var err error
		switch {
		case isFile && name == "-":
			part, err = io.ReadAll(stdin)
		case isFile:
			part, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the data for -d %s: %w", v, reason(err))
		}
		parts = append(parts, part)
	}
	return bytes.Join(parts, []byte("&")), nil
}

// request makes the request for u.
func (t *recipe) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	var body io.Reader
	if t.body != nil {
		body = bytes.NewReader(t.body)
	}
	req, err := http.NewRequestWithContext(ctx, t.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header = t.header.Clone()
	if t.host != "" {
		req.Host = t.host
	}
	return req, nil
}

// fileName is the name that -O gives the body of u.
func fileName(u *url.URL) (string, error) {
	name := path.Base(u.Path)
	if strings.HasSuffix(u.Path, "/") || name == "." || name == ".." || strings.ContainsAny(name, `/\`) || printable(name) != name {
		return "", usagef("%s ends with no file name, which -O needs: use -o FILE", u.Redacted())
	}
	return name, nil
}
