// Loads a filter and makes system calls under it, for the tests on the real kernel.
//
//   kernel FLAGS ABI:NR[:ARG...]...
//
// The filter is read from standard input; without one the calls are made as they are. ABI is 64,
// 32 (int $0x80) or x32. Each call prints its result, a negative errno when it failed;
// "load ERRNO" is printed instead of everything when the kernel refuses the filter. With a listener (FLAGS & 8) the calls are made in a child,
// and each that is notified is answered with errno 1000 plus its first argument.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long call32(long nr, long *a) {
#ifdef __x86_64__
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
#else
	return -ENOSYS;
#endif
}

static void make(const char *what) {
	long v[7] = {0}, r;
	char abi[8];
	int n = 0;
	if (sscanf(what, "%7[^:]%n", abi, &n) != 1)
		exit(2);
	for (int i = 0; i < 7 && what[n] == ':'; i++) {
		char *end;
		v[i] = strtoul(what + n + 1, &end, 0);
		n = end - what;
	}
	if (!strcmp(abi, "32")) {
		r = call32(v[0], v + 1);
	} else {
		if (!strcmp(abi, "x32"))
			v[0] |= 0x40000000;
		r = syscall(v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
		if (r < 0)
			r = -errno;
	}
	printf("%ld\n", r);
	fflush(stdout);
}

static int serve(int listener, pid_t child) {
	int status;
	/* this process is under the filter too, so the end of the child doesn't show on the listener */
	while (waitpid(child, &status, WNOHANG) == 0) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		struct seccomp_notif req = {0};
		struct seccomp_notif_resp resp = {0};
		if (poll(&p, 1, 20) <= 0 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req))
			continue;
		resp.id = req.id;
		resp.error = -(1000 + (int)req.data.args[0]);
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
	static struct sock_filter code[4097];
	size_t n = fread(code, sizeof code[0], 4097, stdin);
	struct sock_fprog prog = {.len = n, .filter = code};
	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 2;
	setvbuf(stdout, NULL, _IOFBF, 4096);
	long fd = n ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[1], NULL, 0), &prog) : 0;
	if (fd < 0) {
		printf("load %d\n", errno);
		return 0;
	}
	pid_t child = 0;
	if (fd > 0 && (child = fork()) > 0)
		return serve(fd, child);
	for (int i = 2; i < argc; i++)
		make(argv[i]);
	fflush(stdout);
	_exit(0);
}
