/** Lays out the guest's physical memory and writes the page tables that map it. */
#pragma once
#include "machine.h"

/** Where code and constants lie in the guest's physical memory: they come from the file, not from `memory`. */
#define CODE_GPA 0xc0000000ull
/** No memory lies here, so a store ends up with the host. */
#define DOORBELL_GPA 0xf0000000ull
/** The first page table. */
#define PAGE_TABLE_GPA 0x1000ull
#define PAGE_TABLES_END 0x40000ull

/** What guest.elf must look like: code and constants first, then data, whole pages each. */
struct program {
	uint64_t entry;
	/** Bytes from ELF_VA on that come from the file and are never written. */
	uint64_t code_bytes;
	struct segment {
		uint64_t address;
		uint64_t bytes;
		bool is_code;
	} read_only[4];
	uint32_t read_only_count;
	uint64_t data_address;
	uint64_t data_file_offset;
	uint64_t data_file_bytes;
	uint64_t data_bytes;
};

/** Reads the headers of guest.elf. */
bool program_read(struct machine *machine, int elf_fd, struct program *program);
/** Decides where everything lies. */
void layout_choose(struct machine *machine, const struct program *program, uint32_t memory_pages_max);
/** Writes the page tables into `memory`. */
bool page_tables_write(struct machine *machine, const struct program *program);
