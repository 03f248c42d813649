/**
 * The twelve functions that the engine's module imports, as holdpoint's sandboxes/wasm/engine.ts has them.
 *
 * Invariant: none of them lets the guest learn anything of this machine, which it could not reach anyway.
 */
#include "guest.h"

#define UNUSED __attribute__((unused))
#define ENV UNUSED struct Z_env_instance_t *env
#define WASI UNUSED struct Z_wasi_snapshot_preview1_instance_t *wasi
#define BAD_FILE 8u

uint32_t Z_envZ_host_interrupt(ENV) {
	return interrupted() ? 1 : 0;
}

uint32_t Z_envZ_host_get_timezone_offset(ENV, UNUSED uint32_t low, UNUSED uint32_t high) {
	return 0;
}

void Z_envZ_host_promise_rejection(ENV, UNUSED uint32_t promise, UNUSED uint32_t reason, UNUSED uint32_t handled) {}

uint32_t Z_envZ_host_module_normalize(ENV, UNUSED uint32_t from, UNUSED uint32_t name) {
	return 0;
}

uint32_t Z_envZ_host_module_load(ENV, UNUSED uint32_t name, UNUSED uint32_t length) {
	return 0;
}

uint32_t Z_envZ_host_call(ENV, UNUSED uint32_t name, UNUSED uint32_t length, UNUSED uint32_t self,
                          UNUSED uint32_t count, UNUSED uint32_t values) {
	return 0;
}

/** The clock stands still during a slice. */
uint32_t Z_wasi_snapshot_preview1Z_clock_time_get(WASI, UNUSED uint32_t id, UNUSED uint64_t precision,
                                                  uint32_t address) {
	uint64_t now = ORDER->clock_ns;
	memcpy(LINEAR + address, &now, sizeof now);
	return 0;
}

/** Leaves the bytes as they are: zero. Programs get their random numbers from the prelude, which has a seed. */
uint32_t Z_wasi_snapshot_preview1Z_random_get(WASI, UNUSED uint32_t address, UNUSED uint32_t bytes) {
	return 0;
}

uint32_t Z_wasi_snapshot_preview1Z_fd_write(WASI, UNUSED uint32_t file, UNUSED uint32_t parts, UNUSED uint32_t count,
                                            UNUSED uint32_t written) {
	return BAD_FILE;
}

uint32_t Z_wasi_snapshot_preview1Z_fd_close(WASI, UNUSED uint32_t file) {
	return BAD_FILE;
}

uint32_t Z_wasi_snapshot_preview1Z_fd_seek(WASI, UNUSED uint32_t file, UNUSED uint64_t offset, UNUSED uint32_t whence,
                                           UNUSED uint32_t result) {
	return BAD_FILE;
}

uint32_t Z_wasi_snapshot_preview1Z_fd_fdstat_get(WASI, UNUSED uint32_t file, UNUSED uint32_t result) {
	return BAD_FILE;
}
