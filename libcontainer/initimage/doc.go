// Package initimage links a [plan.Plan] into the container's init: a static executable of some 60
// KB, nearly all of it data. Its program is the op loop (package kernel), its data is the plan.
//
// The file has one page of text (ELF headers and the loop, read and execute) and one data segment
// at a fixed address: the registers, the op table, then strings, vectors and structures with
// absolute addresses. A page apart from these is where the page that is shared with the host will
// be. There are no section headers and nothing to relocate; stack and vdso are the kernel's. The
// layout is the same on every machine, and right for kernels with pages of 4, 16 or 64 KiB. The
// same plan always gives the same bytes.
//
// Link is pure; [Seal] puts the bytes where the kernel can execute them and nobody can write.
package initimage
