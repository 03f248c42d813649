/**
 * A KVM that opens and cannot run, for the tests: linked into microvmd in the place of `ioctl`. All is the real thing,
 * but KVM_RUN, which after so many times does what BROKEN_KVM says: "<errno | internal | entry> <times>".
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int __real_ioctl(int file, unsigned long request, ...);
int __wrap_ioctl(int file, unsigned long request, ...);

static char how[16];
static unsigned long times_left;

/** Before `main`, which clears the environment. */
__attribute__((constructor)) static void read_order(void) {
	const char *order = getenv("BROKEN_KVM");
	const char *space = order == NULL ? NULL : strchr(order, ' ');
	if (space == NULL || (size_t)(space - order) >= sizeof how) abort();
	memcpy(how, order, (size_t)(space - order));
	times_left = strtoul(space + 1, NULL, 10);
}

/** Maps what KVM tells of a run once more: while the process is not locked down yet. */
static struct kvm_run *run_of(int file) {
	static struct kvm_run *run;
	if (run != NULL) return run;
	run = mmap(NULL, sizeof *run, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (run == MAP_FAILED) abort();
	return run;
}

static int broken_run(struct kvm_run *run) {
	if (strcmp(how, "errno") == 0) {
		errno = EIO;
		return -1;
	}
	run->exit_reason = strcmp(how, "internal") == 0 ? KVM_EXIT_INTERNAL_ERROR : KVM_EXIT_FAIL_ENTRY;
	return 0;
}

int __wrap_ioctl(int file, unsigned long request, ...) {
	va_list arguments;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	if (request != KVM_RUN) return __real_ioctl(file, request, argument);
	struct kvm_run *run = run_of(file);
	if (times_left == 0) return broken_run(run);
	times_left--;
	return __real_ioctl(file, request, argument);
}
