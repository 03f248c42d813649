/**
 * try-call <name>: makes that system call behind the lock-down of microvmd. Exit code 0 where it may be made; where it
 * may not, the kernel ends this process by SIGSYS.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../microvmd/lockdown.h"
#include "../protocol.h"

static void make_call(const char *name, void *page) {
	static struct timespec now;
	const struct {
		const char *name;
		long arguments[4];
	} calls[] = {
		{"monotonic", {SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0}},
		{"thread-time", {SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (long)&now, 0}},
		{"realtime", {SYS_clock_gettime, CLOCK_REALTIME, (long)&now, 0}},
		// The clock of process 1.
		{"other-process", {SYS_clock_gettime, ~1L * 8 + 2, (long)&now, 0}},
		{"dontneed", {SYS_madvise, (long)page, (long)PAGE_BYTES, MADV_DONTNEED}},
		{"mergeable", {SYS_madvise, (long)page, (long)PAGE_BYTES, MADV_MERGEABLE}},
		{"poison", {SYS_madvise, (long)page, (long)PAGE_BYTES, MADV_HWPOISON}},
	};
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		const long *arguments = calls[i].arguments;
		if (strcmp(calls[i].name, name) != 0) continue;
		_exit(syscall(arguments[0], arguments[1], arguments[2], arguments[3]) == 0 ? 0 : 1);
	}
}

int main(int count, char **arguments) {
	static struct machine machine = {.vcpu_fd = -1, .pagemap_fd = -1};
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (count != 2 || page == MAP_FAILED) return 2;
	if (become_nobody() != NULL || lock_down(&machine) != NULL) return 3;
	make_call(arguments[1], page);
	_exit(4);
}
