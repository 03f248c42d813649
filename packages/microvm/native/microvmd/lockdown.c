/**
 * The second wall: what a guest that broke out of its virtual machine would find.
 *
 * Invariant: after `lock_down` this process can read its standard input, write its standard output and error, run its
 * one processor, give memory back, look at its two clocks, and end. Everything else kills it.
 */
#include "lockdown.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/** `nobody` and `nogroup`: owners of nothing. */
#define NOBODY 65534u

const char *become_nobody(void) {
	// What the processor learned of the guest's branches helps nobody else, and the other way round, where the kernel
	// leaves that to the process.
	(void)prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0);
	(void)prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE, 0, 0);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	                       setresuid(NOBODY, NOBODY, NOBODY) < 0)) {
		return "root could not be given up";
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return "new privileges could not be given up";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return "the process could not be closed to others";
	return NULL;
}

static bool set_limits(void) {
	const struct {
		int resource;
		rlim_t value;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_FSIZE, 0},
		{RLIMIT_NPROC, 0},
		{RLIMIT_MEMLOCK, 0},
		// What is open stays open; a new file would be number 3 or more.
		{RLIMIT_NOFILE, 3},
	};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		const struct rlimit limit = {limits[i].value, limits[i].value};
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0) return false;
	}
	return true;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define FIRST_ARGUMENT LOAD(args[0])
#define SECOND_ARGUMENT LOAD(args[1])
#define THIRD_ARGUMENT LOAD(args[2])
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
/** Goes on where the loaded value is this one, else skips so many instructions. */
#define IF_ELSE_SKIP(value, skipped) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skipped)
/** A call with any arguments. */
#define ALLOW_CALL(number) IF_ELSE_SKIP(number, 1), ALLOW
/** A call with one value of one argument, of which the kernel takes the lower half. */
#define ALLOW_CALL_WITH(number, argument, value) IF_ELSE_SKIP(number, 4), argument, IF_ELSE_SKIP(value, 1), ALLOW, KILL
/** A call on one file. */
#define ALLOW_CALL_ON(number, file) ALLOW_CALL_WITH(number, FIRST_ARGUMENT, file)
/** Among the requests of one file, after SECOND_ARGUMENT. */
#define ALLOW_REQUEST(request) IF_ELSE_SKIP(request, 1), ALLOW

static bool filter_calls(const struct machine *machine) {
	struct sock_filter program[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		KILL,
		LOAD(nr),
		ALLOW_CALL_ON(SYS_read, STDIN_FILENO),
		ALLOW_CALL_ON(SYS_writev, STDOUT_FILENO),
		ALLOW_CALL_ON(SYS_write, STDERR_FILENO),
		IF_ELSE_SKIP(SYS_clock_gettime, 6),
		FIRST_ARGUMENT,
		IF_ELSE_SKIP(CLOCK_MONOTONIC, 1),
		ALLOW,
		IF_ELSE_SKIP(CLOCK_THREAD_CPUTIME_ID, 1),
		ALLOW,
		KILL,
		ALLOW_CALL(SYS_setitimer),
		ALLOW_CALL(SYS_rt_sigtimedwait),
		ALLOW_CALL(SYS_poll),
		ALLOW_CALL_WITH(SYS_madvise, THIRD_ARGUMENT, MADV_DONTNEED),
		ALLOW_CALL(SYS_exit_group),
		IF_ELSE_SKIP(SYS_ioctl, 23),
		FIRST_ARGUMENT,
		IF_ELSE_SKIP(machine->vcpu_fd, 16),
		SECOND_ARGUMENT,
		ALLOW_REQUEST(KVM_RUN),
		ALLOW_REQUEST(KVM_SET_REGS),
		ALLOW_REQUEST(KVM_SET_SREGS),
		ALLOW_REQUEST(KVM_SET_XSAVE),
		ALLOW_REQUEST(KVM_SET_VCPU_EVENTS),
		ALLOW_REQUEST(KVM_GET_REGS),
		ALLOW_REQUEST(KVM_GET_SREGS),
		KILL,
		IF_ELSE_SKIP(machine->pagemap_fd, 4),
		SECOND_ARGUMENT,
		// The only request that reads which pages were written.
		IF_ELSE_SKIP(_IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96), 1),
		ALLOW,
		KILL,
		KILL,
	};
	struct sock_fprog filter = {sizeof program / sizeof program[0], program};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

const char *lock_down(const struct machine *machine) {
	if (!set_limits()) return "the limits of the process could not be set";
	if (!filter_calls(machine)) return "the filter of system calls could not be set";
	return NULL;
}
