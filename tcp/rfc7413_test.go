package tcp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rfc7413Table is where each requirement of Fast Open is tested: a test of this
// package, one of another ("tfo.TestX"), or the reason why it does not apply to a
// TCP that is not a kernel's ("n/a: ...").
var rfc7413Table = map[string]string{
	"OPT-1":  "TestOPT1Lengths",
	"OPT-2":  "TestOPT2Experimental",
	"OPT-3":  "TestOPT3Order",
	"OPT-4":  "TestOPT4OnlyOnSYN",
	"OPT-5":  "TestOPT5OptionTable",
	"OPT-6":  "TestOPT6LastWins",
	"OPT-7":  "TestOPT7SameKind",
	"OPT-8":  "TestOPT8SYNACKCookies",
	"OPT-9":  "TestOPT9Unsolicited",
	"OPT-10": "TestOPT10Room",
	"OPT-11": "TestOPT11NoRoom",
	"OPT-12": "TestOPT12DataRoom",
	"OPT-13": "n/a: a behaviour of the kernel's MPTCP listeners; there is no MPTCP here",

	"COOKIE-1": "TestSRV8InvalidCookie",
	"COOKIE-2": "TestCookieExpiry",
	"COOKIE-3": "TestCookieAnyPort",
	"COOKIE-4": "n/a: properties of package tfo (constant time, redaction), tested there",
	"COOKIE-5": "TestCookieVector",
	"COOKIE-6": "TestCookieVector",
	"COOKIE-7": "TestCookieVector",
	"COOKIE-8": "TestCookieVector",
	"COOKIE-9": "TestSRV8InvalidCookie",

	"KEY-1": "TestKEY1BackupKey",
	"KEY-2": "n/a: the text of a kernel's key file, tested in package tfo",
	"KEY-3": "n/a: the raw form of a kernel's socket option, tested in package tfo",
	"KEY-4": "TestKEY4ListenerKeys",
	"KEY-5": "TestKEY5NoKeys",
	"KEY-6": "TestCookieExpiry",
	"KEY-7": "TestCookieExpiry",
	"KEY-8": "TestKEY8ClientOnly",
	"KEY-9": "n/a: what XNU does and we do not; a prefix of a cookie fails in TestSRV8InvalidCookie",

	"SRV-1":  "TestSRV1WhichSYNs",
	"SRV-2":  "TestSRV2AcceptQueueFull",
	"SRV-3":  "TestSRV3SynCookies",
	"SRV-4":  "TestSRV4RequestCounts",
	"SRV-5":  "TestSRV5OffByDefault",
	"SRV-6":  "TestSRV6OverLimit",
	"SRV-7":  "TestSRV7Request",
	"SRV-8":  "TestSRV8InvalidCookie",
	"SRV-9":  "TestSRV9NoOption",
	"SRV-10": "TestSRV10ValidCookie",
	"SRV-11": "TestSRV11AlwaysEcho",
	"SRV-12": "TestSRV12ChildInSynReceived",
	"SRV-13": "TestSRV13EarlyWindow",
	"SRV-14": "TestSRV14SYNACKContent",
	"SRV-15": "TestSRV15OnlySYNACKAgain",
	"SRV-16": "TestSRV16DiesSilently",
	"SRV-17": "TestSRV17DuplicateSYN",
	"SRV-18": "TestSRV18HandshakeACK",
	"SRV-19": "TestSRV19Reset",
	"SRV-20": "TestSRV20ResetAccounting",
	"SRV-21": "TestSRV21ICMP",
	"SRV-22": "TestSRV22CloseEarly",
	"SRV-23": "TestSRV23ListenerClose",
	"SRV-24": "TestSRV24TimeWait",
	"SRV-25": "TestSRV25Replay",
	"SRV-26": "TestSRV26NoUpgrade",
	"SRV-27": "TestSRV27LimitLive",
	"SRV-28": "TestSRV28Pending",
	"SRV-29": "n/a: bits of a kernel's sysctl; their effects are FastOpenServer and FastOpenClient, tested with SRV-30 and CLI-18",
	"SRV-30": "TestSRV30Cookieless",
	"SRV-31": "TestSRV31NoProbeBeforeACK",
	"SRV-32": "TestSRV32MoreThanTheBuffer",
	"SRV-33": "TestSRV33OnlyListedPrefixes",

	"CLI-1":  "TestCLI1CacheKey",
	"CLI-2":  "n/a: the layout of the kernel's cache; ours is tested in package tfo",
	"CLI-3":  "TestCLI3MSS",
	"CLI-4":  "TestCLI4Request",
	"CLI-5":  "TestCLI5Accepted",
	"CLI-6":  "TestCLI6NotAcked",
	"CLI-7":  "TestCLI7Partial",
	"CLI-8":  "TestCLI8Timeout",
	"CLI-9":  "TestCLI9LateAnswer",
	"CLI-10": "TestCLI10LinuxParity",
	"CLI-11": "TestCLI11NegativeMemory",
	"CLI-12": "TestCLI12Experimental",
	"CLI-13": "TestCLI13NoData",
	"CLI-14": "TestCLI14LongWrite",
	"CLI-15": "TestCLI15DataInSYNACK",
	"CLI-16": "TestCLI16Errors",
	"CLI-17": "TestCLI17SimultaneousOpen",
	"CLI-18": "TestCLI18Cookieless",
	"CLI-19": "TestCLI19Partition",

	"MBOX-1": "TestMBOX2BlackHole",
	"MBOX-2": "TestMBOX2BlackHole",
	"MBOX-3": "TestMBOX2BlackHole",
	"MBOX-4": "TestMBOX4PassiveDoesNotCount",
	"MBOX-5": "TestMBOX5BackOff",
	"MBOX-6": "TestMBOX6PathRestarts",
	"MBOX-7": "n/a: field data, nothing to do",

	"SEC-1":  "TestSEC1HoldOutput",
	"SEC-2":  "TestSEC2DatalessChild",
	"SEC-3":  "TestSEC3Flood",
	"SEC-4":  "TestSEC5PerPrefix",
	"SEC-5":  "TestSEC5PerPrefix",
	"SEC-6":  "TestSRV25Replay",
	"SEC-7":  "TestSEC7Confirmed",
	"SEC-8":  "n/a: what HTTP does with early data; the signal it needs is SEC-7",
	"SEC-9":  "TestCLI19Partition",
	"SEC-10": "TestCookieExpiry",
	"SEC-11": "n/a: how keys are exported, package tfo",
}

// rfc7413Requirements is how many there are of each kind.
var rfc7413Requirements = map[string]int{
	"OPT": 13, "COOKIE": 9, "KEY": 9, "SRV": 33, "CLI": 19, "MBOX": 7, "SEC": 11,
}

// TestRFC7413Table checks that no requirement is missing, that none is invented,
// and that every test named exists.
func TestRFC7413Table(t *testing.T) {
	tests := testNames(t)
	tested, not := 0, 0
	for kind, n := range rfc7413Requirements {
		for i := 1; i <= n; i++ {
			id := fmt.Sprintf("%s-%d", kind, i)
			where, ok := rfc7413Table[id]
			switch {
			case !ok:
				t.Errorf("requirement %s is not in the table", id)
			case strings.HasPrefix(where, "n/a: "):
				not++
			case !tests[where]:
				t.Errorf("requirement %s names %s, which does not exist", id, where)
			default:
				tested++
			}
		}
	}
	if tested+not != len(rfc7413Table) {
		t.Errorf("the table has %d rows, %d of them are requirements", len(rfc7413Table), tested+not)
	}
	t.Logf("%d requirements: %d tested, %d not applicable", tested+not, tested, not)
}

// testNames is the tests of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	names := make(map[string]bool)
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
