package dbus

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestParseVariant(t *testing.T) {
	for text, want := range map[string]Variant{
		"1": MakeVariant(int32(1)), " -0x10 ": MakeVariant(int32(-16)), "010": MakeVariant(int32(8)), "+5": MakeVariant(int32(5)),
		"byte 0x41": MakeVariant(byte(65)), "int16 -3": MakeVariant(int16(-3)), "uint16 3": MakeVariant(uint16(3)), "uint32 5": MakeVariant(uint32(5)),
		"int64 -5": MakeVariant(int64(-5)), "uint64 18446744073709551615": MakeVariant(uint64(math.MaxUint64)), "@t 5": MakeVariant(uint64(5)),
		"1.5": MakeVariant(1.5), "1e3": MakeVariant(1e3), "double 5": MakeVariant(5.0), "-inf": MakeVariant(math.Inf(-1)),
		"true": MakeVariant(true), "boolean false": MakeVariant(false),
		"'a b'": MakeVariant("a b"), `"it's"`: MakeVariant("it's"), `'a\n\'\u20ac\U0001f600\x'`: MakeVariant("a\n'€😀x"), "'a\\\nb'": MakeVariant("ab"),
		"string ''": MakeVariant(""), "objectpath '/a'": MakeVariant(ObjectPath("/a")), "@o '/a'": MakeVariant(ObjectPath("/a")),
		"signature 'as'": MakeVariant(Signature("as")), "<1>": MakeVariant(MakeVariant(int32(1))), "< <'x'> >": MakeVariant(MakeVariant(MakeVariant("x"))),
		"['a', \"b\"]": MakeVariant([]string{"a", "b"}), "@as []": MakeVariant([]string{}), "@as ['x']": MakeVariant([]string{"x"}),
		"b'ab'": MakeVariant([]byte("ab\x00")), `b"\101\n\7\377"`: MakeVariant([]byte("A\n\a\xff\x00")), "b''": MakeVariant([]byte{0}),
		"[byte 1, 2]": MakeVariant([]byte{1, 2}), "@ay []": MakeVariant([]byte{}), "@ay [1]": MakeVariant([]byte{1}),
		"[1, 2]": Typed("ai", []any{int32(1), int32(2)}), "[1, 2.5]": Typed("ad", []any{1.0, 2.5}), "[1, uint64 2]": Typed("at", []any{uint64(1), uint64(2)}),
		"[[], [uint32 1]]":        Typed("aau", []any{[]any{}, []any{uint32(1)}}),
		"['/a', objectpath '/b']": Typed("ao", []any{ObjectPath("/a"), ObjectPath("/b")}),
		"(1, 'a')":                Typed("(is)", Struct{int32(1), "a"}), "(1,)": Typed("(i)", Struct{int32(1)}),
		"@a(ss) [('/dev/x', 'rw')]":     Typed("a(ss)", []any{Struct{"/dev/x", "rw"}}),
		"[('/x', uint64 1), ('/y', 2)]": Typed("a(st)", []any{Struct{"/x", uint64(1)}, Struct{"/y", uint64(2)}}),
		"{'a': <1>, 'b': <'x'>}":        Typed("a{sv}", []any{Entry{"a", MakeVariant(int32(1))}, Entry{"b", MakeVariant("x")}}),
		"@a{sv} {}":                     Typed("a{sv}", []any{}), "[{}, {1: 2}]": Typed("aa{ii}", []any{[]any{}, []any{Entry{int32(1), int32(2)}}}), "{1: 2, byte 3: 4}": Typed("a{yi}", []any{Entry{byte(1), int32(2)}, Entry{byte(3), int32(4)}}),
	} {
		got, err := ParseVariant(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v, error %v", text, got, want, err)
		}
		if again, err := ParseVariant(got.String()); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s is written as %s: %#v, error %v", text, got, again, err)
		}
	}
}

func TestParseVariantErrors(t *testing.T) {
	for _, text := range []string{
		"", " ", "(", "[", "[1", "[1,]", "[,]", "[1 2]", "{", "{1}", "{1:}", "{1:2,}", "{1 2}", "{<1>: 2}", "<", "<>", "<1,>", "<1, 2>", "()", "(1)", "(1,2,)", "(,)",
		"unquoted", "'no end", "'no end\\", `'\u12'`, `'\ud800'`, `'\u0000'`, `b'\400'`, "'\xff'", "1 2", "'it''s'", "1,", "]", "--1", "+", "1.2.3", "0x", "1_000",
		"[]", "[[], []]", "{}", "[[], {}]", "@as {}", "@ay {}", "@a(i) {}", "[['a'], {}]", "[1, 'a']", "['a', <'b'>]", "[(1, 2), (1, 2, 3)]", "uint32 -1", "int16 70000", "9999999999", "byte 256", "byte 'a'", "string 1",
		"@s 5", "@i 'x'", "@zz 5", "@ 5", "@ss 'a'", "@a 5", "@u @t 5", "uint32", "@as", "@as [1]", "int32 1.5", "@ay 'a'", "objectpath 'a'", "signature '('",
		"just 1", "nothing", "handle 1", "@h 1", "@a{vs} {}", strings.Repeat("[", 100000), strings.Repeat("@i ", 100000) + "1", strings.Repeat("<", 40) + "1" + strings.Repeat(">", 40),
		"(" + strings.Repeat("1,", 300) + "1)",
	} {
		if v, err := ParseVariant(text); err == nil {
			t.Errorf("%.40q: %#v, and no error", text, v)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: the error has several lines: %v", text, err)
		}
	}
}

// What is read can be written, read again, and sent.
func FuzzParseVariant(f *testing.F) {
	for _, text := range []string{
		"uint64 5", "@as []", "['a', \"b\"]", "b'\\101'", "{'a': <(1, [2.5, -inf])>}", "[1, @t 2]", "@as {}", "[{}, {1: 2}]", "[[], ['\\u20ac']]", "@a{sv} {}", "objectpath '/a'", "true",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVariant(text)
		if err != nil {
			return
		}
		once := v.String()
		again, err := ParseVariant(once)
		if err != nil || again.String() != once || again.sig != v.sig {
			t.Errorf("%q is written as %q, which is %q, error %v", text, once, again, err)
		}
		e := encoder{}
		if err := e.value("v", v); err != nil {
			t.Errorf("%q can't be sent: %v", text, err)
		}
	})
}
