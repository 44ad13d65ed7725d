// Builds filters with libseccomp for the differential test. It reads requests from standard input, one word at a time, and
// writes each filter to standard output as a little-endian count and that many sock_filter records. Linked in tests only.
//
//   filter DEFAULT OPTIMIZE  starts a filter (DEFAULT is the 32-bit action, OPTIMIZE is SCMP_FLTATR_CTL_OPTIMIZE)
//   arch TOKEN               adds an architecture; the native one is only there when it was asked for
//   rule ACTION NAME N (INDEX OP A B)*N   adds a rule, skipped when the library does not know the name
//   end                      writes the filter; a negative count is the errno of what failed
//   resolve TOKEN NAME  writes a 32-bit number, negative when the architecture (0: this one) has no such system call
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void put(int32_t v) { fwrite(&v, 4, 1, stdout); }

static void emit(scmp_filter_ctx ctx, int err) {
	int fd = memfd_create("filter", 0);
	if (!err)
		err = seccomp_export_bpf(ctx, fd);
	if (err) {
		put(err);
	} else {
		off_t n = lseek(fd, 0, SEEK_END);
		char *buf = malloc(n);
		if (pread(fd, buf, n, 0) != n)
			exit(3);
		put(n / 8);
		fwrite(buf, 1, n, stdout);
		free(buf);
	}
	close(fd);
}

static int rule(scmp_filter_ctx ctx) {
	uint32_t action;
	char name[128];
	unsigned n;
	struct scmp_arg_cmp args[6] = {0};
	if (scanf("%" SCNu32 " %127s %u", &action, name, &n) != 3 || n > 6)
		exit(2);
	for (unsigned i = 0; i < n; i++) {
		unsigned index, op;
		if (scanf("%u %u %" SCNu64 " %" SCNu64, &index, &op, &args[i].datum_a, &args[i].datum_b) != 4)
			exit(2);
		args[i].arg = index;
		args[i].op = op;
	}
	int nr = seccomp_syscall_resolve_name(name);
	return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, action, nr, n, args);
}

int main(void) {
	scmp_filter_ctx ctx = NULL;
	char word[32], name[128];
	uint32_t a, b;
	int err = 0;
	while (scanf("%31s", word) == 1) {
		if (!strcmp(word, "filter") && scanf("%" SCNu32 " %" SCNu32, &a, &b) == 2) {
			ctx = seccomp_init(a);
			err = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, b) : -ENOMEM;
			/* architectures of the other byte order can't be added beside the native one */
			if (!err)
				err = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
		} else if (!strcmp(word, "arch") && scanf("%" SCNu32, &a) == 1) {
			if (!err)
				err = seccomp_arch_add(ctx, a);
		} else if (!strcmp(word, "rule")) {
			int e = rule(ctx);
			if (!err)
				err = e;
		} else if (!strcmp(word, "end")) {
			emit(ctx, err);
			seccomp_release(ctx);
		} else if (!strcmp(word, "resolve") && scanf("%" SCNu32 " %127s", &a, name) == 2) {
			put(seccomp_syscall_resolve_name_arch(a, name));
		} else {
			return 2;
		}
		fflush(stdout);
	}
	return 0;
}
