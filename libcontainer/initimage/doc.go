// Package initimage links a [plan.Plan] into the container's init: a static executable of a few kilobytes, whose program is the op
// loop (package kernel) and whose data is the plan.
//
// The file has one page of text (ELF headers and the loop, read and execute) and one data segment at a fixed address: the page
// that is shared with the host, the registers, the op table, then strings, vectors and structures with absolute addresses. There are no
// section headers and nothing to relocate; stack and vdso are the kernel's. The same plan always gives the same bytes.
//
// Link is pure; [Seal] puts the bytes where the kernel can execute them and nobody can write.
package initimage
