package fastopen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fastopen-go/fastopen"

// edges says which packages of the module, and of other modules, the
// packages of the module may import. Arrows point one way. A failing test is
// a reason to change the import, and seldom one to change this table.
var edges = map[string][]string{
	".":                {"tfo", "internal/sockopt", "golang.org/x/sys"},
	"tfo":              {},
	"wire":             {"tfo"},
	"tcp":              {"tfo", "wire", "internal/pile"},
	"stack":            {"tfo", "wire", "tcp", "internal/pile"},
	"link":             {"wire", "internal/pile", "golang.org/x/sys"},
	"link/wg":          {"link", "stack", "tfo", "wire", "golang.zx2c4.com/wireguard"},
	"sim":              {"tfo", "wire", "tcp", "link", "golang.org/x/sys"},
	"sim/torture":      {"sim", "tcp", "tfo", "wire"},
	"sim/throughput":   {"sim", "tcp"},
	"kernel":           {"tfo", "internal/procnet", "internal/sockopt", "golang.org/x/sys", "github.com/vishvananda/netlink"},
	"internal/sockopt": {"golang.org/x/sys"},
	"internal/pile":    {},
	"internal/procnet": {},
	"internal/netns":   {"internal/procnet", "link", "sim", "golang.org/x/sys", "github.com/vishvananda/netlink", "github.com/vishvananda/netns"},
	"cmd/tfo":          {".", "tfo", "kernel", "github.com/prometheus/client_golang", "github.com/spf13/cobra", "golang.org/x/term", "internal/servers", "probe", "github.com/spf13/pflag", "link", "sim", "stack", "tcp", "wire"},
	"internal/servers": {},
	"probe":            {"tfo", "wire", "kernel", "internal/sockopt", "golang.org/x/sys", "golang.org/x/net/bpf", "github.com/vishvananda/netlink/nl"},
}

// pure lists the packages without clocks, goroutines, I/O and randomness of
// their own, and what they may import of the standard library's state.
var pure = map[string][]string{
	"tfo":  {"sync", "crypto/rand"}, // the Cache's and the Keyring's locks; new keys
	"wire": {},
	"tcp":  {},
}

// TestImports holds every file that is not a test, of any operating system,
// against the table.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(dir, name string, file *ast.File) {
		seen[dir] = true
		allowed, ok := edges[dir]
		if !ok {
			t.Errorf("%s: package %s is not in the table of allowed imports", name, dir)
			return
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, imported) }) {
				t.Errorf("%s: package %s may not import %s", name, dir, imported)
			}
		}
	})
	for dir := range pure {
		if _, ok := edges[dir]; !ok {
			t.Errorf("pure package %s is not in the table of allowed imports", dir)
		}
	}
	if len(seen) < 3 {
		t.Errorf("only %d packages were looked at", len(seen))
	}
}

// covers says whether imported is the package, or of the module, allowed.
func covers(allowed, imported string) bool {
	if first, _, _ := strings.Cut(allowed, "/"); strings.Contains(first, ".") && allowed != "." {
		return imported == allowed || strings.HasPrefix(imported, allowed+"/")
	}
	return imported == path.Join(module, allowed)
}

// TestPure checks that the packages which are to be pure are.
func TestPure(t *testing.T) {
	state := []string{"net", "os", "context", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "sync", "sync/atomic", "syscall"}
	clocks := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}
	eachFile(t, func(dir, name string, file *ast.File) {
		allowed, ok := pure[dir]
		if !ok {
			return
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if slices.Contains(state, imported) && !slices.Contains(allowed, imported) && !(imported == "sync/atomic" && slices.Contains(allowed, "sync")) {
				t.Errorf("%s: package %s is to be pure and imports %s", name, dir, imported)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: package %s is to be pure and starts a goroutine", name, dir)
			case *ast.ChanType:
				t.Errorf("%s: package %s is to be pure and has a channel", name, dir)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%s: package %s is to be pure and calls time.%s", name, dir, n.Sel.Name)
				}
			}
			return true
		})
	})
}

// eachFile parses every Go file of the module that is not a test.
func eachFile(t *testing.T, f func(dir, name string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bench") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(filepath.Dir(name)), filepath.ToSlash(name), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
