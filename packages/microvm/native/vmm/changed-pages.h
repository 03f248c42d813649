/** Which pages of the guest differ from the base image, and how they leave and enter. */
#pragma once
#include "machine.h"

#define WRITTEN_RUNS_MAX 2048u

/** Pages of this process's own, in `memory`: whatever else it holds is the image, or was never touched. */
struct written_pages {
	struct run_of_pages {
		uint64_t from;
		uint64_t to;
	} runs[WRITTEN_RUNS_MAX];
	uint32_t run_count;
	uint64_t page_count;
};

/** Asks the kernel. False where it cannot say, or where there are more runs than fit. */
bool find_written(const struct machine *machine, uint64_t from, uint64_t to, struct written_pages *written);

/**
 * The numbers of the pages of linear memory that differ from the base image, ascending, from the engine's stack pointer
 * on, up to `memory_pages`. Returns how many; `numbers` has room for every page that there can be.
 */
uint32_t find_changed(const struct machine *machine, uint32_t memory_pages, uint32_t *numbers);

/**
 * A page against the base image, word by word: an unchanged word becomes 0, any other one stays itself (0 takes the
 * place of the image's word); its own inverse. The same as `swapped` in holdpoint's sandboxes/guest-image/page-delta.ts.
 */
void swap_page(const struct machine *machine, uint32_t number, const uint32_t *from, uint32_t *to);
