// floor runs a container by the kernel's calls alone: those of a plan, from a table that the benchmark has made (../floor.go), and no decision of
// its own. No runtime that sets up the same container can be faster, unless it finds fewer calls for it: what a runtime takes beyond it is its own.
//
//	floor TABLE
//
// The host's part is a table of calls like the init's: the cgroups and their limits before, their removal behind. Between them the parent clones
// the init, which works through its table in this program's memory (a runtime executes an image there), and answers it at each rendezvous. The
// id maps, the limits of a process in a user namespace and the look into /etc/passwd are the parent's there, as they need the init's pid or
// what it brings; they are written out below.
//
// What a runtime does beside the plan is not done here: no state is recorded, no lock is held, and nothing is checked. The controllers of
// cgroup v2 are not enabled, as the first runtime has done so.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// REGS_ADDR, OPS_OFFSET, OP_SIZE, PAGE_SIZE, PAGE_PID and PAGE_HOME come from the packages kernel and plan, by the compiler's command line.

// The layout is that of kernel.OpSize.
struct op {
	uint16_t kind, number;
	uint8_t registers, out, of, is, retry, exact;
	uint16_t allow[5];
	uint32_t want;
	uint64_t args[6];
};
_Static_assert(sizeof(struct op) == OP_SIZE, "an op of the plan's image");

struct table {
	uint64_t at, size, ops;
};

enum { MAPS = 1, HOME = 2, LIMITS = 4 };

// floor.go writes it.
struct head {
	uint64_t clone_flags;
	int64_t cgroup; // descriptor of the cgroup v2 directory in which the init is born, or -1
	struct table before, init, after;
	uint64_t meetings;
	uint8_t does[32]; // what the host does at each of them
	uint64_t limits;
	uint64_t limit[16][3];
	char uid_map[128], gid_map[128], home[128];
	char owners_uid_map[128], owners_gid_map[128]; // of idmapped mounts, or empty
	int64_t filtered;                              // descriptor of the cgroup v2 directory that gets the program for devices
	uint64_t instructions;                         // of it, or 0
	uint64_t program[256];
};

// The descriptors; the tables count on them. Those that the table BEFORE opens follow.
enum { TABLE = 3, INITS_END, OUR_END, PROGRESS, FIRST_FILE };

static const char *part = "start";
static struct head head;
static char *page;

static void fail(const char *what, int op) {
	dprintf(2, "floor: %s: %s %d: %s\n", part, what, op, strerror(errno));
	_exit(255);
}

static long checked(long result, const char *what) {
	if (result < 0)
		fail(what, 0);
	return result;
}

// load maps a table where its addresses say that it lies.
static void load(const char *name, const struct table *t) {
	part = name;
	if (mmap((void *)REGS_ADDR, t->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, TABLE, t->at) == MAP_FAILED)
		fail("map the table", 0);
}

// A register that no op has written holds -4096, which is no errno.
static int failed(int64_t result) {
	return result < 0 && result >= -4095;
}

static int wanted(const struct op *o, const int64_t *regs) {
	int64_t v = regs[o->of];
	switch (o->is) {
	case 1: return v >= 0;
	case 2: return failed(v);
	case 3: return v < 0;
	}
	return 1;
}

static int64_t call(const struct op *o, const int64_t *regs) {
	uint64_t a[6];
	for (int i = 0; i < 6; i++)
		a[i] = o->registers >> i & 1 ? (uint64_t)regs[o->args[i]] : o->args[i];
	int64_t result;
	switch (o->kind) {
	case 1: return a[0];
	case 2: return *(int32_t *)a[0];
	case 3: *(uint32_t *)a[0] = a[1]; return 0;
	case 4: return *(int64_t *)a[0];
	case 5: *(uint64_t *)a[0] = a[1]; return 0;
	case 6: return (*(uint64_t *)a[0] & a[1]) == a[2] ? 0 : -(int64_t)a[3];
	case 7: return -(int64_t)a[0];
	}
	result = syscall(o->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result < 0)
		return -errno;
	if (o->kind == 8 && result > 0)
		_exit(0); // the child of the new namespaces goes on
	return result;
}

static int allowed(const struct op *o, int64_t result) {
	for (int i = 0; i < 5; i++)
		if (o->allow[i] == -result)
			return 1;
	return 0;
}

static void carry_out(uint64_t ops) {
	int64_t *regs = (int64_t *)REGS_ADDR;
	const struct op *all = (const struct op *)(REGS_ADDR + OPS_OFFSET);
	for (uint64_t i = 0; i < ops; i++) {
		const struct op *o = &all[i];
		if (!wanted(o, regs))
			continue;
		int64_t result;
		int left = o->retry;
		do
			result = call(o, regs);
		while ((result == -EAGAIN || result == -EINTR || result == -EXDEV) && left-- > 0);
		if (failed(result) && !allowed(o, result)) {
			errno = -result;
			fail("op", i);
		}
		if (!failed(result) && o->exact && result != o->want) {
			errno = EPROTO;
			fail("op", i);
		}
		if (o->out != 255)
			regs[o->out] = result;
	}
}

static void write_proc(int pid, const char *name, const char *text) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	int fd = checked(open(path, O_WRONLY | O_CLOEXEC), name);
	checked(write(fd, text, strlen(text)), name);
	close(fd);
}

// meet waits for the init and does the host's part of a rendezvous. fd is what the init has brought, or -1.
static void meet(int does, int init) {
	char data[8], control[CMSG_SPACE(4 * sizeof(int))], path[64], text[4096];
	struct iovec iov = {data, sizeof data};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	if (checked(recvmsg(OUR_END, &msg, MSG_CMSG_CLOEXEC), "hear from the init") != 1)
		fail("hear from the init", 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = c ? *(int *)CMSG_DATA(c) : -1;
	if (*(uint32_t *)(page + PAGE_PID))
		init = *(uint32_t *)(page + PAGE_PID);
	if (does & MAPS) {
		write_proc(init, "uid_map", head.uid_map);
		write_proc(init, "gid_map", head.gid_map);
	}
	if (does & LIMITS)
		for (uint64_t i = 0; i < head.limits; i++) {
			struct rlimit limit = {head.limit[i][1], head.limit[i][2]};
			checked(prlimit(init, head.limit[i][0], &limit, NULL), "prlimit");
		}
	if (does & HOME) {
		if (fd >= 0) {
			snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
			int passwd = checked(open(path, O_RDONLY | O_CLOEXEC), "open /etc/passwd");
			checked(read(passwd, text, sizeof text), "read /etc/passwd");
			close(passwd);
		}
		strcpy(page + PAGE_HOME, head.home);
	}
	if (fd >= 0)
		close(fd);
	checked(send(OUR_END, "", 1, MSG_NOSIGNAL), "answer the init");
}

// open_owners makes a user namespace with the maps of idmapped mounts. The table BEFORE counts on its being the first file.
static void open_owners(void) {
	char path[64];
	struct clone_args how = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	int pid = checked(syscall(SYS_clone3, &how, sizeof how), "clone3");
	if (pid == 0)
		for (;;)
			pause();
	write_proc(pid, "uid_map", head.owners_uid_map);
	write_proc(pid, "gid_map", head.owners_gid_map);
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	if (open(path, O_RDONLY | O_CLOEXEC) != FIRST_FILE)
		fail("open the user namespace", 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

// filter_devices makes a cgroup refuse devices, where the controller of cgroup v1 does not.
static void filter_devices(void) {
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insn_cnt = head.instructions, .insns = (uint64_t)head.program, .license = (uint64_t)"Apache-2.0"};
	int program = checked(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load), "load the program for devices");
	union bpf_attr attach = {
		.target_fd = head.filtered, .attach_bpf_fd = program, .attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI};
	checked(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach), "attach the program for devices");
	close(program);
}

static int ended(int pid) {
	int status;
	checked(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
	int pair[2];
	char report[8];
	checked(syscall(SYS_close_range, TABLE, ~0U, 0), "close what was inherited");
	if (argc != 2 || open(argv[1], O_RDONLY | O_CLOEXEC) != TABLE || read(TABLE, &head, sizeof head) != sizeof head)
		fail("read the table", 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || memfd_create("progress", MFD_CLOEXEC) != PROGRESS)
		fail("make the socket and the page", 0);
	checked(ftruncate(PROGRESS, PAGE_SIZE), "make the page");
	page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, PROGRESS, 0);
	page[0] = 0; // charged to us
	if (head.owners_uid_map[0])
		open_owners();
	load("before", &head.before);
	carry_out(head.before.ops);
	if (head.instructions)
		filter_devices();

	struct clone_args how = {.flags = head.clone_flags, .exit_signal = SIGCHLD};
	if (head.cgroup >= 0) {
		how.flags |= CLONE_INTO_CGROUP;
		how.cgroup = head.cgroup;
	}
	int pid = checked(syscall(SYS_clone3, &how, sizeof how), "clone3");
	if (pid == 0) {
		close(OUR_END);
		load("init", &head.init);
		carry_out(head.init.ops); // the last op is execve
		_exit(255);
	}
	close(INITS_END);
	checked(syscall(SYS_close_range, FIRST_FILE, ~0U, 0), "close the init's files");
	for (uint64_t i = 0; i < head.meetings; i++)
		meet(head.does[i], pid);
	checked(read(OUR_END, report, sizeof report), "wait for the program");
	int status = ended(pid), spawned = *(uint32_t *)(page + PAGE_PID);
	if (spawned)
		status = ended(spawned);
	load("after", &head.after);
	carry_out(head.after.ops);
	return status;
}
