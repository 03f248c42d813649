#include "changed-pages.h"

#include <string.h>
#include <sys/ioctl.h>

/** Of the kernel's interface since 6.7; its headers may be older here. */
struct scanned_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};
struct scan_request {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t regions;
	uint64_t regions_length;
	uint64_t pages_max;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};
#define SCAN_PAGES _IOWR('f', 16, struct scan_request)
#define IS_FILE (1ull << 2)
#define IS_PRESENT (1ull << 3)
#define IS_SWAPPED (1ull << 4)
#define IS_ZERO_PAGE (1ull << 5)

bool find_written(const struct machine *machine, uint64_t from, uint64_t to, struct written_pages *written) {
	static struct scanned_region regions[WRITTEN_RUNS_MAX];
	if (machine->pagemap_fd < 0) return false;
	uint64_t memory = (uint64_t)machine->memory;
	struct scan_request request = {
		.size = sizeof request,
		.start = memory + from,
		.end = memory + to,
		.regions = (uint64_t)regions,
		.regions_length = WRITTEN_RUNS_MAX,
		// A page that was written is memory of this process, in place or swapped out: neither the file's nor the zero page.
		.category_inverted = IS_FILE | IS_ZERO_PAGE,
		.category_mask = IS_FILE | IS_ZERO_PAGE,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = IS_PRESENT | IS_SWAPPED,
	};
	int count = ioctl(machine->pagemap_fd, SCAN_PAGES, &request);
	if (count < 0 || request.walk_end != request.end) return false;
	written->run_count = (uint32_t)count;
	written->page_count = 0;
	for (int i = 0; i < count; i++) {
		written->runs[i].from = (regions[i].start - memory) / PAGE_BYTES;
		written->runs[i].to = (regions[i].end - memory) / PAGE_BYTES;
		written->page_count += written->runs[i].to - written->runs[i].from;
	}
	return true;
}

static const uint8_t no_page[PAGE_BYTES];

/** What the base image has in one page of `memory`. */
static const uint8_t *base_page(const struct machine *machine, uint64_t page) {
	return is_base_page(machine, page) ? machine->base + page * PAGE_BYTES : no_page;
}

static uint32_t add_changed(const struct machine *machine, struct run_of_pages run, uint32_t *numbers) {
	uint64_t first = machine->layout.linear / PAGE_BYTES;
	uint32_t count = 0;
	for (uint64_t page = run.from; page < run.to; page++) {
		if (memcmp(machine->memory + page * PAGE_BYTES, base_page(machine, page), PAGE_BYTES) == 0) continue;
		numbers[count++] = (uint32_t)(page - first);
	}
	return count;
}

uint32_t find_changed(const struct machine *machine, uint32_t memory_pages, uint32_t *numbers) {
	static struct written_pages written;
	uint64_t from = machine->layout.linear + machine->stack_pointer;
	uint64_t to = machine->layout.linear + (uint64_t)memory_pages * WASM_PAGE_BYTES;
	if (!find_written(machine, from, to, &written)) {
		return add_changed(machine, (struct run_of_pages){from / PAGE_BYTES, to / PAGE_BYTES}, numbers);
	}
	uint32_t count = 0;
	for (uint32_t i = 0; i < written.run_count; i++) {
		count += add_changed(machine, written.runs[i], numbers + count);
	}
	return count;
}

void swap_page(const struct machine *machine, uint32_t number, const uint32_t *from, uint32_t *to) {
	const uint8_t *page = base_page(machine, machine->layout.linear / PAGE_BYTES + number);
	for (uint32_t i = 0; i < PAGE_BYTES / sizeof *from; i++) {
		uint32_t base;
		memcpy(&base, page + i * sizeof base, sizeof base);
		uint32_t word = from[i];
		to[i] = word == base ? 0 : word == 0 ? base : word;
	}
}
