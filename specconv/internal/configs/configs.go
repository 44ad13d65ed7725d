// Package configs has configurations for the tests of this folder's packages.
package configs

import (
	"embed"
	"path"
	"reflect"
	"strings"
)

//go:embed valid/*.json
var valid embed.FS

// Valid are good configurations, as engines write them, by file name.
func Valid() map[string][]byte {
	entries, err := valid.ReadDir("valid")
	if err != nil {
		panic(err) // it is part of the program
	}
	configs := map[string][]byte{}
	for _, entry := range entries {
		if configs[entry.Name()], err = valid.ReadFile(path.Join("valid", entry.Name())); err != nil {
			panic(err)
		}
	}
	return configs
}

// Fill sets every field of a value to something that is not its zero value,
// strings to the text. visit sees the JSON name of each.
func Fill(v reflect.Value, text string, visit func(tag string)) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		Fill(v.Elem(), text, visit)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if platforms, ok := field.Tag.Lookup("platform"); ok && !strings.Contains(platforms, "linux") {
				continue
			}
			if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "" {
				visit(tag)
			}
			Fill(v.Field(i), text, visit)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		Fill(v.Index(0), text, visit)
		Fill(v.Index(1), text, visit)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		item := reflect.New(v.Type().Elem()).Elem()
		Fill(item, text, visit)
		v.SetMapIndex(reflect.ValueOf(text), item)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(60007)
	default:
		panic(v.Kind().String())
	}
}
