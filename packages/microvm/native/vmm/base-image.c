/**
 * The sealed base image: what every program starts from, and the way back to it.
 *
 * The image lies in a sealed file in memory that nobody can change any more; the guest's memory is a private,
 * copy-on-write view of it, and anonymous memory where the image is empty. A page that the guest wrote is a page of
 * this process, which the kernel can tell apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "changed-pages.h"
#include "machine.h"
#include "machine-state.h"

/** Empty pages between two parts of the image that are not worth a mapping of their own. */
#define GAP_PAGES_MAX 16u
/** A reset copies up to this many pages back, which keeps them mapped in the guest; beyond it gives memory back. */
#define COPIED_PAGES_MAX 512u

static bool seal_failed(struct machine *machine, const char *what) {
	return machine_failed(machine, "the base image: %s: %s", what, strerror(errno));
}

static bool is_empty(const uint8_t *page) {
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

struct span {
	uint64_t from;
	uint64_t to;
};

/** Writes what lies in one span to the file and marks it. */
static bool write_span(struct machine *machine, int file, const struct span *span) {
	for (uint64_t at = span->from; at < span->to; at += PAGE_BYTES) {
		if (is_empty(machine->memory + at)) continue;
		uint64_t page = at / PAGE_BYTES;
		machine->base_pages[page / 8] |= (uint8_t)(1u << (page % 8));
		if (pwrite(file, machine->memory + at, PAGE_BYTES, (off_t)at) != (ssize_t)PAGE_BYTES) {
			return seal_failed(machine, "writing");
		}
	}
	return true;
}

/** The first page from `page` on that the image has, or the end. */
static uint64_t next_base_page(const struct machine *machine, uint64_t page, uint64_t end) {
	while (page < end && !is_base_page(machine, page)) page++;
	return page;
}

/** The end of the part of the image that begins at `page`; gaps that are small belong to it. */
static uint64_t part_end(const struct machine *machine, uint64_t page, uint64_t end) {
	for (;;) {
		while (page < end && is_base_page(machine, page)) page++;
		uint64_t next = next_base_page(machine, page, end);
		if (next == end || next - page > GAP_PAGES_MAX) return page;
		page = next;
	}
}

/** Lays the private view of the image over the guest's memory. */
static bool map_image(struct machine *machine, int file) {
	const int access = PROT_READ | PROT_WRITE;
	const int flags = MAP_FIXED | MAP_PRIVATE | MAP_NORESERVE;
	if (mmap(machine->memory, machine->layout.end, access, flags | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
		return seal_failed(machine, "clearing");
	}
	uint64_t end = machine->layout.end / PAGE_BYTES;
	for (uint64_t page = next_base_page(machine, 0, end); page < end;) {
		uint64_t after = part_end(machine, page, end);
		uint64_t at = page * PAGE_BYTES;
		if (mmap(machine->memory + at, (after - page) * PAGE_BYTES, access, flags, file, (off_t)at) == MAP_FAILED) {
			return seal_failed(machine, "mapping");
		}
		page = next_base_page(machine, after, end);
	}
	machine->base = mmap(NULL, machine->layout.end, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file, 0);
	return machine->base != MAP_FAILED || seal_failed(machine, "viewing");
}

static bool write_image(struct machine *machine, int file) {
	const struct layout *layout = &machine->layout;
	uint64_t stack_end = layout->stack + STACK_BYTES;
	uint64_t stack_used = layout->stack + (machine->sealed.general.rsp - (STACK_TOP_VA - STACK_BYTES));
	// What finished calls left below the stack pointer is nothing that a guest needs.
	uint64_t first = stack_used & ~(uint64_t)(PAGE_BYTES - 1);
	memset(machine->memory + first, 0, stack_used - first);
	const struct span spans[] = {
		{0, layout->report + PAGE_BYTES},
		{first, stack_end},
		// Below the engine's stack pointer lies what finished calls left on its own stack.
		{layout->linear + machine->stack_pointer, layout->linear + (uint64_t)machine->base_memory_pages * WASM_PAGE_BYTES},
	};
	if (ftruncate(file, (off_t)layout->end) < 0) return seal_failed(machine, "sizing");
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		if (!write_span(machine, file, &spans[i])) return false;
	}
	int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	if (fcntl(file, F_ADD_SEALS, seals) < 0) return seal_failed(machine, "sealing");
	return true;
}

/** What the guest said at the end of its boot, which it may have made up. */
static bool take_boot_report(struct machine *machine) {
	struct mail_report report;
	memcpy(&report, (const void *)mail_report(machine), sizeof report);
	uint64_t bytes = (uint64_t)report.memory_pages * WASM_PAGE_BYTES;
	uint64_t rsp = machine->sealed.general.rsp;
	if (report.memory_pages == 0 || bytes > machine->layout.linear_bytes || report.stack_pointer > bytes ||
	    report.stack_pointer % PAGE_BYTES != 0 || report.scratch > bytes ||
	    report.scratch_bytes > bytes - report.scratch || report.scratch_bytes > MIB ||
	    report.countdown > bytes - sizeof(int32_t) ||
	    rsp < STACK_TOP_VA - STACK_BYTES || rsp > STACK_TOP_VA) {
		return machine_failed(machine, "the guest booted to something that it cannot be");
	}
	machine->base_memory_pages = report.memory_pages;
	machine->stack_pointer = report.stack_pointer;
	machine->scratch = report.scratch;
	machine->scratch_bytes = report.scratch_bytes;
	machine->countdown = report.countdown;
	memset((void *)mail_report(machine), 0, sizeof report);
	memset(mail_order(machine), 0, sizeof(struct mail_order));
	return true;
}

bool machine_seal(struct machine *machine) {
	size_t bytes = machine->layout.end / PAGE_BYTES / 8 + 1;
	machine->base_pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (machine->base_pages == MAP_FAILED) return seal_failed(machine, "a map of pages");
	if (!processor_rest(machine, &machine->sealed) || !take_boot_report(machine)) return false;
	int file = memfd_create("holdpoint-base-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0) return seal_failed(machine, "a file in memory");
	bool is_done = write_image(machine, file) && map_image(machine, file);
	(void)close(file);
	// The processor keeps the machine; nothing else is to be made of these.
	(void)close(machine->kvm_fd);
	(void)close(machine->vm_fd);
	machine->kvm_fd = machine->vm_fd = -1;
	return is_done;
}

/* --- The way back ----------------------------------------------------------------------------------------------- */

static void restore_page(struct machine *machine, uint64_t page) {
	uint8_t *target = machine->memory + page * PAGE_BYTES;
	if (is_base_page(machine, page)) memcpy(target, machine->base + page * PAGE_BYTES, PAGE_BYTES);
	else memset(target, 0, PAGE_BYTES);
}

/** Copies written pages back. False where they are too many, or where the kernel cannot name them. */
static bool copy_back(struct machine *machine) {
	struct written_pages written;
	if (!find_written(machine, 0, machine->layout.end, &written)) return false;
	if (written.page_count > COPIED_PAGES_MAX) return false;
	for (uint32_t i = 0; i < written.run_count; i++) {
		for (uint64_t page = written.runs[i].from; page < written.runs[i].to; page++) restore_page(machine, page);
	}
	return true;
}

bool machine_reset(struct machine *machine) {
	if (!copy_back(machine) && madvise(machine->memory, machine->layout.end, MADV_DONTNEED) < 0) {
		return seal_failed(machine, "reset");
	}
	return processor_put_sealed(machine);
}
