package kernel

// Addresses and layout that the op loop is written for. The linker (initimage) lays the image out
// accordingly.
const (
	// PageAlign is the largest page of a kernel that may run the image: arm64 has 4, 16 and 64 KiB.
	PageAlign = 0x10000
	// PageAddr is where the page shared with the host is mapped, alone in its PageAlign bytes.
	PageAddr = 0x10000000
	// DataOffset is where in the file the data segment begins: behind headers and code. The kernel
	// maps whole pages, so a segment's address is its offset in the file, modulo PageAlign.
	DataOffset = 0x1000
	// RegsAddr is where the data segment begins: with the registers. The op table follows.
	RegsAddr = PageAddr + PageAlign + DataOffset
	OpsAddr  = RegsAddr + 0x800
	// MoreAddr is the address that the shared file's byte 0 would have, if the parts of it that lie
	// behind the first page were mapped in one piece.
	MoreAddr = 0x20000000

	// OpSize is the size of an entry of the op table:
	//
	//	 0 uint16 kind       0 system call, 1 set, 2 load32, 3 store32, 4 load64, 5 store64, 6 assert, 7 fail, 8 spawn
	//	 2 uint16 number     of the system call
	//	 4 uint8  registers  bit i: argument i is a register's index, to be replaced by its value
	//	 5 uint8  out        register for the result, 255 for none
	//	 6 uint8  if         register of the condition
	//	 7 uint8  is         0 always, 1 ok, 2 failed, 3 not ok
	//	 8 uint8  retry      how often EAGAIN, EINTR and EXDEV are tried again
	//	 9 uint8  exact      1: the result must be want
	//	10 uint16 allow[5]   errnos that are not fatal
	//	20 uint32 want
	//	24 uint64 args[6]
	OpSize = 72
)
