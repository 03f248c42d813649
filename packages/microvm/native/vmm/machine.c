/** The virtual machine on the kernel's own interface. See machine.h for what it promises. */
#include "machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "address-space.h"
#include "machine-state.h"

#define KVM_API 12
/** Registers of the processor: protection, extended addresses, long mode, no system calls. */
#define CR0_BITS 0x80050033ull
/** Physical address extension, SSE with its exceptions, and no clock of the processor in ring 3. */
#define CR4_BITS (0x20ull | 0x200ull | 0x400ull | 0x4ull)
#define EFER_BITS (0x100ull | 0x400ull | 0x800ull)
/** The one flag that is always set. */
#define RFLAGS_BITS 2ull
/** All exceptions of SSE masked. */
#define MXCSR_BITS 0x1f80u
#define XSAVE_MXCSR_WORD 6
#define CODE_SELECTOR 0x2b
#define DATA_SELECTOR 0x23
/** An access this far below the stack is one that ran out of it. */
#define STACK_GUARD_BYTES (1ull * MIB)

bool machine_failed(struct machine *machine, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(machine->diagnosis, sizeof machine->diagnosis, format, arguments);
	va_end(arguments);
	return false;
}

static bool failed_errno(struct machine *machine, const char *what) {
	return machine_failed(machine, "%s: %s", what, strerror(errno));
}

/* --- Making one ------------------------------------------------------------------------------------------------- */

static bool add_memory(struct machine *machine) {
	const struct kvm_userspace_memory_region regions[] = {
		{.slot = 0, .memory_size = machine->layout.end, .userspace_addr = (uint64_t)machine->memory},
		{.slot = 1,
		 .flags = KVM_MEM_READONLY,
		 .guest_phys_addr = CODE_GPA,
		 .memory_size = machine->code_bytes,
		 .userspace_addr = (uint64_t)machine->code},
	};
	for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
		if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &regions[i]) < 0) {
			return failed_errno(machine, "KVM refused the memory");
		}
	}
	return true;
}

/** The guest learns of the processor what a program compiled for it needs, and nothing of the host. */
static bool set_features(struct machine *machine) {
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[128];
	} known = {.head = {.nent = 128}}, shown = {.head = {.nent = 0}};
	if (ioctl(machine->kvm_fd, KVM_GET_SUPPORTED_CPUID, &known) < 0) return failed_errno(machine, "KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < known.head.nent && i < 128; i++) {
		uint32_t leaf = known.entries[i].function;
		if (leaf > 1 && leaf != 0x80000000u && leaf != 0x80000001u && leaf != 0x80000008u) continue;
		shown.entries[shown.head.nent++] = known.entries[i];
	}
	if (ioctl(machine->vcpu_fd, KVM_SET_CPUID2, &shown) < 0) return failed_errno(machine, "KVM_SET_CPUID2");
	return true;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_code) {
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = 3,
		.db = !is_code,
		.s = 1,
		.l = is_code,
		.g = 1,
	};
}

static bool put_state(struct machine *machine, const struct processor_state *state) {
	if (ioctl(machine->vcpu_fd, KVM_SET_SREGS, &state->system) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_SET_REGS, &state->general) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_SET_XSAVE, state->extended) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_SET_VCPU_EVENTS, &state->events) < 0) {
		return failed_errno(machine, "KVM refused the registers");
	}
	return true;
}

static bool get_state(struct machine *machine, struct processor_state *state) {
	if (ioctl(machine->vcpu_fd, KVM_GET_SREGS, &state->system) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_GET_REGS, &state->general) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_GET_XSAVE, state->extended) < 0 ||
	    ioctl(machine->vcpu_fd, KVM_GET_VCPU_EVENTS, &state->events) < 0) {
		return failed_errno(machine, "KVM gave no registers");
	}
	return true;
}

/** Long mode in ring 3 with empty descriptor tables: whatever would enter a kernel is a fault without a handler. */
static bool set_first_state(struct machine *machine, uint64_t entry) {
	struct processor_state state;
	memset(&state, 0, sizeof state);
	if (!get_state(machine, &state)) return false;
	struct kvm_sregs *system = &state.system;
	system->cs = segment(CODE_SELECTOR, 11, true);
	system->ss = system->ds = system->es = system->fs = system->gs = segment(DATA_SELECTOR, 3, false);
	system->tr = (struct kvm_segment){.limit = 0x67, .type = 11, .present = 1};
	system->idt = system->gdt = (struct kvm_dtable){.limit = 0};
	system->cr0 = CR0_BITS;
	system->cr3 = PAGE_TABLE_GPA;
	system->cr4 = CR4_BITS;
	system->efer = EFER_BITS;
	state.general = (struct kvm_regs){.rip = entry, .rsp = STACK_TOP_VA - 16, .rflags = RFLAGS_BITS};
	// An empty list of parts makes all of them what they are after a reset of the processor.
	memset(state.extended, 0, sizeof state.extended);
	state.extended[XSAVE_MXCSR_WORD] = MXCSR_BITS;
	return put_state(machine, &state);
}

/** Signals that come while the guest runs end the run; at any other time they wait. */
static bool let_signals_in(struct machine *machine) {
	struct {
		uint32_t bytes;
		uint8_t blocked[8];
	} mask = {.bytes = 8, .blocked = {0}};
	if (ioctl(machine->vcpu_fd, KVM_SET_SIGNAL_MASK, &mask) < 0) return failed_errno(machine, "KVM_SET_SIGNAL_MASK");
	return true;
}

static bool create_processor(struct machine *machine) {
	if (ioctl(machine->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API) return machine_failed(machine, "/dev/kvm is no KVM of this kind");
	int run_bytes = ioctl(machine->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_bytes < (int)sizeof(struct kvm_run)) return failed_errno(machine, "KVM_GET_VCPU_MMAP_SIZE");
	machine->run_bytes = (size_t)run_bytes;
	machine->vm_fd = ioctl(machine->kvm_fd, KVM_CREATE_VM, 0);
	if (machine->vm_fd < 0) return failed_errno(machine, "KVM made no virtual machine");
	if (!add_memory(machine)) return false;
	machine->vcpu_fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, 0);
	if (machine->vcpu_fd < 0) return failed_errno(machine, "KVM made no processor");
	machine->run = mmap(NULL, machine->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu_fd, 0);
	if (machine->run == MAP_FAILED) return failed_errno(machine, "the processor cannot be mapped");
	return set_features(machine) && let_signals_in(machine);
}

static bool load_program(struct machine *machine, int elf_fd, const struct program *program) {
	uint8_t *data = machine->memory + machine->layout.data + program->data_address % PAGE_BYTES;
	ssize_t bytes = pread(elf_fd, data, program->data_file_bytes, (off_t)program->data_file_offset);
	if (bytes != (ssize_t)program->data_file_bytes) return machine_failed(machine, "the guest's data cannot be read");
	machine->code_bytes = program->code_bytes;
	machine->code = mmap(NULL, machine->code_bytes, PROT_READ, MAP_PRIVATE, elf_fd, 0);
	if (machine->code == MAP_FAILED) return failed_errno(machine, "the guest's code cannot be mapped");
	return page_tables_write(machine, program);
}

bool machine_create(struct machine *machine, const struct machine_files *files, uint32_t memory_pages_max) {
	memset(machine, 0, sizeof *machine);
	machine->kvm_fd = files->kvm_fd;
	machine->pagemap_fd = files->pagemap_fd;
	machine->vm_fd = machine->vcpu_fd = -1;
	struct program program;
	if (!program_read(machine, files->elf_fd, &program)) return false;
	layout_choose(machine, &program, memory_pages_max);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	machine->memory = mmap(NULL, machine->layout.end, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (machine->memory == MAP_FAILED) return failed_errno(machine, "the guest's memory cannot be mapped");
	mail_order(machine)->memory_pages_max = memory_pages_max;
	mail_order(machine)->memory_pages_stop = memory_pages_max;
	return load_program(machine, files->elf_fd, &program) && create_processor(machine) &&
	       set_first_state(machine, program.entry);
}

/* --- Running ---------------------------------------------------------------------------------------------------- */

/** Lets the processor finish its store to the doorbell, so that its registers are those after it. */
static bool settle(struct machine *machine) {
	if (!machine->is_at_bell) return true;
	machine->run->immediate_exit = 1;
	int result = ioctl(machine->vcpu_fd, KVM_RUN, 0);
	int reason = errno;
	machine->run->immediate_exit = 0;
	if (result == 0 || reason != EINTR) return machine_failed(machine, "the processor does not come to rest");
	machine->is_at_bell = false;
	return true;
}

/** Says what a dead guest was doing. On SVM a shutdown wipes the registers, so this is a hint and nothing more. */
static enum machine_exit diagnose(struct machine *machine) {
	struct kvm_regs general;
	struct kvm_sregs system;
	memset(&general, 0, sizeof general);
	memset(&system, 0, sizeof system);
	(void)ioctl(machine->vcpu_fd, KVM_GET_REGS, &general);
	(void)ioctl(machine->vcpu_fd, KVM_GET_SREGS, &system);
	uint64_t floor = STACK_TOP_VA - STACK_BYTES;
	(void)machine_failed(machine, "the machine ended (KVM exit %u) at %#llx, last fault at %#llx",
	                     machine->run->exit_reason, general.rip, system.cr2);
	bool is_stack = system.cr2 < floor && system.cr2 >= floor - STACK_GUARD_BYTES && general.rsp <= floor + STACK_GUARD_BYTES;
	return is_stack ? EXIT_STACK : EXIT_FAULT;
}

static enum machine_exit read_bell(struct machine *machine, uint32_t *bell) {
	const struct kvm_run *run = machine->run;
	if (!run->mmio.is_write || run->mmio.len != sizeof *bell || run->mmio.phys_addr != DOORBELL_GPA) {
		(void)machine_failed(machine, "the guest touched %#llx, where nothing is", run->mmio.phys_addr);
		return EXIT_FAULT;
	}
	memcpy(bell, run->mmio.data, sizeof *bell);
	machine->is_at_bell = true;
	return EXIT_BELL;
}

enum machine_exit machine_enter(struct machine *machine, uint32_t *bell) {
	machine->is_at_bell = false;
	if (ioctl(machine->vcpu_fd, KVM_RUN, 0) < 0) {
		if (errno == EINTR || errno == EAGAIN) return EXIT_SIGNAL;
		(void)failed_errno(machine, "KVM_RUN");
		return EXIT_FAULT;
	}
	switch (machine->run->exit_reason) {
	case KVM_EXIT_MMIO:
		return read_bell(machine, bell);
	case KVM_EXIT_INTR:
		return EXIT_SIGNAL;
	default:
		return diagnose(machine);
	}
}

bool processor_rest(struct machine *machine, struct processor_state *state) {
	return settle(machine) && get_state(machine, state);
}

bool processor_put_sealed(struct machine *machine) {
	return settle(machine) && put_state(machine, &machine->sealed);
}
