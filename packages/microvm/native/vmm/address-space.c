/**
 * The guest's address space. Invariants 1 and 2 of machine.h begin here: what is mapped how is decided in
 * `page_tables_write`, and nothing changes it afterwards.
 *
 * guest.elf is a file of this package, but it is read as if it were hostile: a wrong file is refused, not obeyed.
 */
#include "address-space.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#define PRESENT (1ull << 0)
#define WRITABLE (1ull << 1)
#define USER (1ull << 2)
/** Set in advance, so that the processor never writes to a page table. */
#define ACCESSED (1ull << 5)
#define DIRTY (1ull << 6)
#define LARGE (1ull << 7)
#define NO_EXECUTE (1ull << 63)
#define ADDRESS_BITS 0x000ffffffffff000ull
#define LARGE_BYTES (2ull * MIB)

#define ELF_BYTES_MAX (16ull * MIB)

static uint64_t round_up(uint64_t value, uint64_t step) {
	return (value + step - 1) / step * step;
}

static bool is_sane(const Elf64_Phdr *head) {
	return head->p_vaddr >= ELF_VA && head->p_vaddr < ELF_VA + ELF_BYTES_MAX && head->p_memsz <= ELF_BYTES_MAX &&
	       head->p_filesz <= head->p_memsz && head->p_offset <= ELF_BYTES_MAX &&
	       head->p_vaddr % PAGE_BYTES == head->p_offset % PAGE_BYTES;
}

static bool take_segment(struct program *program, const Elf64_Phdr *head) {
	if (!is_sane(head)) return false;
	if (head->p_flags & PF_W) {
		if (program->data_bytes != 0 || (head->p_flags & PF_X)) return false;
		program->data_address = head->p_vaddr;
		program->data_file_offset = head->p_offset;
		program->data_file_bytes = head->p_filesz;
		program->data_bytes = head->p_memsz;
		return true;
	}
	// Mapped straight from the file, so a page of the file must be a page of memory at the same distance.
	if (program->read_only_count == 4 || head->p_vaddr - ELF_VA != head->p_offset) return false;
	if (head->p_filesz != head->p_memsz) return false;
	struct segment *segment = &program->read_only[program->read_only_count++];
	segment->address = head->p_vaddr & ~(uint64_t)(PAGE_BYTES - 1);
	segment->bytes = round_up(head->p_vaddr + head->p_memsz, PAGE_BYTES) - segment->address;
	segment->is_code = (head->p_flags & PF_X) != 0;
	uint64_t end = segment->address + segment->bytes - ELF_VA;
	if (end > program->code_bytes) program->code_bytes = end;
	return true;
}

bool program_read(struct machine *machine, int elf_fd, struct program *program) {
	Elf64_Ehdr head;
	Elf64_Phdr segments[8];
	memset(program, 0, sizeof *program);
	if (pread(elf_fd, &head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) {
		return machine_failed(machine, "the guest is not an ELF file");
	}
	size_t bytes = (size_t)head.e_phnum * sizeof segments[0];
	if (head.e_phentsize != sizeof segments[0] || bytes > sizeof segments || head.e_phoff > PAGE_BYTES ||
	    pread(elf_fd, segments, bytes, (off_t)head.e_phoff) != (ssize_t)bytes) {
		return machine_failed(machine, "the guest has other headers than it must have");
	}
	program->entry = head.e_entry;
	for (uint32_t i = 0; i < head.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD && segments[i].p_memsz > 0 && !take_segment(program, &segments[i])) {
			return machine_failed(machine, "segment %u of the guest is none that it may have", i);
		}
	}
	if (program->code_bytes == 0 || program->data_bytes == 0 ||
	    program->data_address < ELF_VA + program->code_bytes) {
		return machine_failed(machine, "the guest lacks code or data");
	}
	return true;
}

void layout_choose(struct machine *machine, const struct program *program, uint32_t memory_pages_max) {
	struct layout *layout = &machine->layout;
	uint64_t first = program->data_address & ~(uint64_t)(PAGE_BYTES - 1);
	layout->data = PAGE_TABLES_END;
	layout->data_bytes = round_up(program->data_address + program->data_bytes, PAGE_BYTES) - first;
	layout->order = layout->data + layout->data_bytes;
	layout->report = layout->order + PAGE_BYTES;
	layout->stack = round_up(layout->report + PAGE_BYTES, LARGE_BYTES);
	layout->text = layout->stack + STACK_BYTES;
	layout->linear = layout->text + TEXT_BYTES;
	layout->linear_bytes = round_up((uint64_t)memory_pages_max * WASM_PAGE_BYTES, LARGE_BYTES);
	layout->end = layout->linear + layout->linear_bytes;
}

struct mapping {
	uint64_t virtual;
	uint64_t physical;
	uint64_t bytes;
	uint64_t flags;
	/** 2 MiB a page instead of 4 KiB. */
	bool is_large;
};

struct tables {
	uint8_t *memory;
	uint64_t next;
};

/** The table below an entry, made where there is none yet. Null where there is no room left. */
static uint64_t *table_below(struct tables *tables, uint64_t *entry) {
	if (!(*entry & PRESENT)) {
		if (tables->next == PAGE_TABLES_END) return NULL;
		*entry = tables->next | PRESENT | WRITABLE | USER | ACCESSED;
		tables->next += PAGE_BYTES;
	}
	return (uint64_t *)(tables->memory + (*entry & ADDRESS_BITS));
}

static bool map_page(struct tables *tables, const struct mapping *mapping, uint64_t offset) {
	uint64_t *table = (uint64_t *)(tables->memory + PAGE_TABLE_GPA);
	uint64_t address = mapping->virtual + offset;
	unsigned last = mapping->is_large ? 21 : 12;
	for (unsigned shift = 39; shift > last; shift -= 9) {
		table = table_below(tables, &table[(address >> shift) & 511]);
		if (table == NULL) return false;
	}
	uint64_t flags = mapping->flags | PRESENT | USER | ACCESSED | DIRTY | (mapping->is_large ? LARGE : 0);
	table[(address >> last) & 511] = (mapping->physical + offset) | flags;
	return true;
}

static bool map(struct tables *tables, const struct mapping *mapping) {
	uint64_t step = mapping->is_large ? LARGE_BYTES : PAGE_BYTES;
	for (uint64_t offset = 0; offset < mapping->bytes; offset += step) {
		if (!map_page(tables, mapping, offset)) return false;
	}
	return true;
}

bool page_tables_write(struct machine *machine, const struct program *program) {
	const struct layout *layout = &machine->layout;
	struct tables tables = {machine->memory, PAGE_TABLE_GPA + PAGE_BYTES};
	bool is_done = true;
	for (uint32_t i = 0; i < program->read_only_count; i++) {
		const struct segment *segment = &program->read_only[i];
		uint64_t physical = CODE_GPA + (segment->address - ELF_VA);
		uint64_t flags = segment->is_code ? 0 : NO_EXECUTE;
		struct mapping code = {segment->address, physical, segment->bytes, flags, false};
		is_done = is_done && map(&tables, &code);
	}
	uint64_t data = program->data_address & ~(uint64_t)(PAGE_BYTES - 1);
	const struct mapping mappings[] = {
		{data, layout->data, layout->data_bytes, WRITABLE | NO_EXECUTE, false},
		{ORDER_VA, layout->order, PAGE_BYTES, NO_EXECUTE, false},
		{REPORT_VA, layout->report, PAGE_BYTES, WRITABLE | NO_EXECUTE, false},
		{STACK_TOP_VA - STACK_BYTES, layout->stack, STACK_BYTES, WRITABLE | NO_EXECUTE, true},
		{TEXT_VA, layout->text, TEXT_BYTES, WRITABLE | NO_EXECUTE, true},
		{LINEAR_VA, layout->linear, layout->linear_bytes, WRITABLE | NO_EXECUTE, true},
		{DOORBELL_VA, DOORBELL_GPA, PAGE_BYTES, WRITABLE | NO_EXECUTE, false},
	};
	for (size_t i = 0; i < sizeof mappings / sizeof mappings[0]; i++) is_done = is_done && map(&tables, &mappings[i]);
	return is_done || machine_failed(machine, "the guest's page tables do not fit their room");
}
