/**
 * What the C that wasm2c writes needs of its runtime, and what gcc needs of a C library, for one module in one memory.
 *
 * The linear memory lies at a fixed address and is mapped to its largest size; growing it changes a number. An access
 * beyond what is mapped faults, and a fault is the end of this machine, so no access is checked in software.
 */
#include <stdarg.h>

#include "guest.h"

/* gcc would make calls of these very functions of the loops in them. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef struct {
	uint8_t bytes[16];
} block;

/** From here on the processor's own string instructions are faster. */
#define STRING_INSTRUCTION_BYTES 512u

void *memcpy(void *restrict target, const void *restrict source, size_t bytes) {
	uint8_t *to = target;
	const uint8_t *from = source;
	if (bytes >= STRING_INSTRUCTION_BYTES) {
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
		return target;
	}
	for (; bytes >= sizeof(block); bytes -= sizeof(block), to += sizeof(block), from += sizeof(block)) {
		__builtin_memcpy(to, from, sizeof(block));
	}
	while (bytes-- > 0) *to++ = *from++;
	return target;
}

void *memmove(void *target, const void *source, size_t bytes) {
	uint8_t *to = target;
	const uint8_t *from = source;
	// Not overlapping in the direction that matters.
	if ((uintptr_t)to - (uintptr_t)from >= bytes) {
		for (; bytes >= sizeof(block); bytes -= sizeof(block), to += sizeof(block), from += sizeof(block)) {
			block moved;
			__builtin_memcpy(&moved, from, sizeof moved);
			__builtin_memcpy(to, &moved, sizeof moved);
		}
		while (bytes-- > 0) *to++ = *from++;
		return target;
	}
	while (bytes >= sizeof(block)) {
		bytes -= sizeof(block);
		block moved;
		__builtin_memcpy(&moved, from + bytes, sizeof moved);
		__builtin_memcpy(to + bytes, &moved, sizeof moved);
	}
	while (bytes-- > 0) to[bytes] = from[bytes];
	return target;
}

void *memset(void *target, int value, size_t bytes) {
	uint8_t *to = target;
	if (bytes >= STRING_INSTRUCTION_BYTES) {
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
		return target;
	}
	while (bytes-- > 0) *to++ = (uint8_t)value;
	return target;
}

void wasm_rt_trap(wasm_rt_trap_t trap) {
	REPORT->trap = trap;
	for (;;) ring(BELL_TRAPPED);
}

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t pages_max) {
	uint32_t most = ORDER->memory_pages_max;
	memory->data = LINEAR;
	memory->pages = pages;
	memory->max_pages = pages_max < most ? pages_max : most;
	memory->size = pages * WASM_PAGE_BYTES;
	if (pages > memory->max_pages) wasm_rt_trap(WASM_RT_TRAP_OOB);
}

uint32_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint32_t pages) {
	uint32_t before = memory->pages;
	if (pages > memory->max_pages - before) return UINT32_MAX;
	memory->pages = before + pages;
	memory->size = memory->pages * WASM_PAGE_BYTES;
	return before;
}

void wasm_rt_free_memory(__attribute__((unused)) wasm_rt_memory_t *memory) {}

/** Functions that the module calls by number; it has 532. */
#define TABLE_LENGTH_MAX 1024u
static wasm_rt_funcref_t functions[TABLE_LENGTH_MAX];

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t length, uint32_t length_max) {
	if (length > TABLE_LENGTH_MAX) wasm_rt_trap(WASM_RT_TRAP_CALL_INDIRECT);
	table->data = functions;
	table->size = length;
	table->max_size = length_max;
}

void wasm_rt_free_funcref_table(__attribute__((unused)) wasm_rt_funcref_table_t *table) {}

/** Signatures of functions, so that a call by number meets a function of the expected type. */
#define TYPES_MAX 256u
#define TYPE_PARTS_MAX 32u
static struct {
	uint32_t params;
	uint32_t results;
	uint8_t parts[TYPE_PARTS_MAX];
} types[TYPES_MAX];
static uint32_t type_count;

static bool is_type(uint32_t index, uint32_t params, uint32_t results, const uint8_t *parts) {
	if (types[index].params != params || types[index].results != results) return false;
	for (uint32_t i = 0; i < params + results; i++) {
		if (types[index].parts[i] != parts[i]) return false;
	}
	return true;
}

uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
	uint8_t parts[TYPE_PARTS_MAX];
	if (params + results > TYPE_PARTS_MAX || type_count == TYPES_MAX) wasm_rt_trap(WASM_RT_TRAP_CALL_INDIRECT);
	va_list arguments;
	va_start(arguments, results);
	for (uint32_t i = 0; i < params + results; i++) parts[i] = (uint8_t)va_arg(arguments, int);
	va_end(arguments);
	for (uint32_t i = 0; i < type_count; i++) {
		if (is_type(i, params, results, parts)) return i + 1;
	}
	types[type_count].params = params;
	types[type_count].results = results;
	memcpy(types[type_count].parts, parts, params + results);
	return ++type_count;
}
