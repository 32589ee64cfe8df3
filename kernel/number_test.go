package kernel

import "testing"

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int32{
		"3": 3, " 3": 3, "3 4": 3, "3\t": 3, "0x3": 3, "0X603": 0x603, "017": 15, "0": 0, "-1": -1, "-0x80000000": -1 << 31,
		"2147483647": 1<<31 - 1, "00000000000000000003": 3,
	} {
		if got, err := parseInt(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "is empty", "  ": "is empty", "yes": "is no number", "3abc": `is no number: it goes on after "3"`, "3,4": `is no number: it goes on after "3"`,
		"+3": "is no number", "--3": "is no number", "- 3": "is no number", "2147483648": "is out of range", "-2147483649": "is out of range",
		"99999999999999999999": "is out of range", "000000000000000000003": "has too many digits", "0x0000000000000000000000000003": "has too many digits",
		"\"3\"": "is no number", "3 # both": "", "3;": `is no number: it goes on after "3"`, "0x": `is no number: it goes on after "0"`, "08": `is no number: it goes on after "0"`, "0b11": `is no number: it goes on after "0"`,
	} {
		got, err := parseInt(text)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: got %d, %v; want %q", text, got, err, want)
		}
	}
}
