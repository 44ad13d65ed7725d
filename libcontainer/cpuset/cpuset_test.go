package cpuset

import (
	"reflect"
	"testing"
)

func TestMask(t *testing.T) {
	for list, back := range map[string]string{"0": "0", "0-7": "0-7", "8": "8", "1,3,5-6,64": "1,3,5-6,64", " 2 , 1 ": "1-2", "": ""} {
		mask, err := Mask(list)
		if err != nil || List(mask) != back {
			t.Errorf("%q: %v means %q, error %v", list, mask, List(mask), err)
		}
	}
}

func TestEach(t *testing.T) {
	for list, want := range map[string][][2]int{
		"":             nil,
		"0":            {{0, 0}},
		"0-3, 7 ,9-10": {{0, 3}, {7, 7}, {9, 10}},
		"0 - 2":        {{0, 2}},
		"65535":        {{65535, 65535}},
	} {
		var got [][2]int
		err := Each(list, func(first, last int) { got = append(got, [2]int{first, last}) })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v", list, got, err, want)
		}
	}
}
