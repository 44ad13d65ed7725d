package v2

import "testing"

func TestWeightOfShares(t *testing.T) {
	for shares, want := range map[uint64]uint64{0: 1, 2: 1, 3: 2, 10: 4, 100: 17, 512: 59, 1024: 100, 2048: 174, 10000: 627, 262143: 10000, 262144: 10000, 1 << 40: 10000} {
		if got := weightOfShares(shares); got != want {
			t.Errorf("weightOfShares(%d) = %d, want %d", shares, got, want)
		}
	}
	for s := uint64(2); s < 262144; s++ {
		if w := weightOfShares(s); w < weightOfShares(s-1) || w < 1 || w > 10000 {
			t.Fatalf("weightOfShares(%d) = %d is out of line", s, w)
		}
	}
}
