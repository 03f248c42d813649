/**
 * microvmd <guest.elf> <MiB of linear memory>
 *
 * One process, one thread, one virtual machine. It opens what it needs, becomes nobody, boots the guest, seals its image,
 * gives up everything else, says hello and serves its parent over standard input and output until that is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "../vmm/changed-pages.h"
#include "../vmm/machine.h"
#include "../vmm/slice.h"
#include "frames.h"
#include "guest-identity.h"
#include "lockdown.h"
#include "serve.h"
#include "sha256.h"

/** The guest alone needs some of it. */
#define MEMORY_MIB_MIN 8ul
#define MEMORY_MIB_MAX (MEMORY_PAGES_MAX / 16ul)

static uint64_t now_us(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

__attribute__((noreturn)) static void unfit(const char *what, const char *why) {
	char line[REASON_BYTES_MAX];
	(void)snprintf(line, sizeof line, "%s: %s", what, why);
	die(EXIT_CODE_UNFIT, line);
}

static uint32_t read_memory_pages(const char *text) {
	char *end = NULL;
	errno = 0;
	unsigned long mebibytes = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != 0 || mebibytes < MEMORY_MIB_MIN || mebibytes > MEMORY_MIB_MAX) {
		unfit(text, "no number of MiB that a guest can have");
	}
	return (uint32_t)(mebibytes * (MIB / WASM_PAGE_BYTES));
}

static struct machine_files open_files(const char *elf) {
	struct machine_files files;
	files.kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (files.kvm_fd < 0) unfit("/dev/kvm", strerror(errno));
	files.elf_fd = open(elf, O_RDONLY | O_CLOEXEC);
	if (files.elf_fd < 0) unfit(elf, strerror(errno));
	// Before root is given up: the kernel shows a process its own pages, but not one that changed its owner.
	files.pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	return files;
}

/** When memory runs out the kernel shall take a guest and not its parent. */
static void offer_to_oom_killer(void) {
	int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (file < 0) return;
	(void)!write(file, "1000", 4);
	(void)close(file);
}

/** Data on standard input is a signal, so that a running slice can be cancelled. */
static void watch_input(void) {
	if (fcntl(STDIN_FILENO, F_SETOWN, getpid()) < 0) unfit("standard input", strerror(errno));
	int flags = fcntl(STDIN_FILENO, F_GETFL);
	if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, (flags | O_ASYNC) & ~O_NONBLOCK) < 0) {
		unfit("standard input", strerror(errno));
	}
}

/** A hint for people and for a policy that asks for hardware: which KVM this is. */
static enum isolation find_isolation(void) {
	static const struct {
		const char *module;
		enum isolation isolation;
	} kinds[] = {
		{"/sys/module/kvm_pvm", ISOLATION_PVM},
		{"/sys/module/kvm_amd", ISOLATION_SVM},
		{"/sys/module/kvm_intel", ISOLATION_VMX},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (access(kinds[i].module, F_OK) == 0) return kinds[i].isolation;
	}
	return ISOLATION_UNKNOWN;
}

static void hash_image(struct machine *machine, uint8_t digest[32]) {
	static const uint8_t no_page[PAGE_BYTES];
	struct sha256 hash;
	sha256_begin(&hash);
	sha256_add(&hash, engine_digest, sizeof engine_digest);
	sha256_add(&hash, prelude_text, PRELUDE_BYTES);
	uint64_t first = machine->layout.linear / PAGE_BYTES;
	uint64_t count = (uint64_t)machine->base_memory_pages * (WASM_PAGE_BYTES / PAGE_BYTES);
	for (uint64_t page = first; page < first + count; page++) {
		sha256_add(&hash, is_base_page(machine, page) ? machine->base + page * PAGE_BYTES : no_page, PAGE_BYTES);
	}
	sha256_end(&hash, digest);
}

static bool can_scan(const struct machine *machine) {
	static struct written_pages written;
	return find_written(machine, 0, PAGE_BYTES, &written);
}

int main(int count, char **arguments) {
	uint64_t start = now_us();
	static struct machine machine;
	// Whatever the parent left open is none of this process's business, and would outlive everything that is given up.
	closefrom(STDERR_FILENO + 1);
	(void)clearenv();
	if (count != 3) unfit("usage", "microvmd <guest.elf> <MiB of linear memory>");
	uint32_t memory_pages = read_memory_pages(arguments[2]);
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (!slice_hold_signals()) unfit("signals", strerror(errno));
	offer_to_oom_killer();
	const struct machine_files files = open_files(arguments[1]);
	const char *trouble = become_nobody();
	if (trouble != NULL) unfit("privileges", trouble);
	watch_input();
	if (!machine_create(&machine, &files, memory_pages) || !slice_boot(&machine) || !machine_seal(&machine)) {
		unfit("the guest", machine.diagnosis);
	}
	(void)close(files.elf_fd);
	if (!can_scan(&machine)) {
		(void)close(machine.pagemap_fd);
		machine.pagemap_fd = -1;
	}
	size_t numbers_bytes = machine.layout.linear_bytes / PAGE_BYTES * sizeof(uint32_t);
	uint32_t *numbers = mmap(NULL, numbers_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (numbers == MAP_FAILED) unfit("memory", strerror(errno));
	struct hello hello = {
		.protocol = PROTOCOL_VERSION,
		.isolation = find_isolation(),
		.memory_bytes = machine.base_memory_pages * WASM_PAGE_BYTES,
		.memory_bytes_max = (uint32_t)machine.layout.linear_bytes,
		.has_page_scan = machine.pagemap_fd >= 0,
	};
	hash_image(&machine, hello.guest_digest);
	trouble = lock_down(&machine);
	if (trouble != NULL) unfit("lock-down", trouble);
	hello.boot_us = (uint32_t)(now_us() - start);
	frame_send(REPLY_HELLO, &hello, sizeof hello, NULL, 0);
	serve(&machine, numbers);
}
