/**
 * A guest that attacks its machine. Its message is the number of an attack; what comes back alive says "survived".
 * With the message "list" it names its attacks: `!` before a name says that the attack must kill the machine, `?` that
 * ring 3 may do that on some processors, `~` that it must be stopped by the clock, `=` that it must do no harm.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol.h"

#define ORDER ((volatile struct mail_order *)ORDER_VA)
#define REPORT ((volatile struct mail_report *)REPORT_VA)
#define MAIL_TEXT ((volatile char *)TEXT_VA)

static void ring(uint32_t bell) {
	__asm__ volatile("movl %0, (%1)" ::"r"(bell), "r"(DOORBELL_VA) : "memory");
}

static void rest(void) {
	ring(BELL_AT_REST);
}

#define ASM(name, code)                                                        \
	__attribute__((naked)) static void name(void) {                        \
		__asm__ volatile("pushq %rbx\n" code "\n popq %rbx\n ret"); \
	}

/* Ports, interrupts, halts. */
ASM(in_byte, "movw $0x64, %dx\n inb %dx, %al")
ASM(out_byte, "movw $0x500, %dx\n outb %al, %dx")
ASM(out_word, "movw $0x500, %dx\n outl %eax, %dx")
ASM(out_fixed, "outb %al, $0x80")
ASM(in_string, "movw $0x60, %dx\n movq $0x40000000, %rdi\n insb")
ASM(out_string, "movw $0x60, %dx\n movq $0x40000000, %rsi\n outsb")
ASM(cli, "cli")
ASM(sti, "sti")
ASM(hlt, "hlt")
ASM(int_80, "int $0x80")
ASM(int_3, "int3")
ASM(int_1, ".byte 0xf1")
ASM(int_0d, "int $0x0d")
ASM(int_nmi, "int $2")
ASM(iopl, "pushfq\n orq $0x3000, (%rsp)\n popfq\n movw $0x500, %dx\n outb %al, %dx")
ASM(interrupt_flag, "pushfq\n orq $0x200, (%rsp)\n popfq\n hlt")
ASM(trap_flag, "pushfq\n orq $0x100, (%rsp)\n popfq\n nop\n nop")
ASM(nested_flag, "pushfq\n orq $0x4000, (%rsp)\n popfq\n iretq")

/* System calls and returns. */
ASM(system_call, "syscall")
ASM(system_enter, "sysenter")
ASM(system_return, "movq $0x401000, %rcx\n sysretq")
ASM(system_exit, "sysexitl")
ASM(return_to_ring_0, "pushq $0x10\n pushq %rsp\n pushfq\n pushq $0x08\n pushq $0x401000\n iretq")
ASM(far_return, "pushq $0x08\n pushq $0x401000\n lretq")
ASM(far_jump, "subq $16, %rsp\n movl $0x401000, (%rsp)\n movw $0x08, 4(%rsp)\n ljmp *(%rsp)")
ASM(far_call, "subq $16, %rsp\n movl $0x401000, (%rsp)\n movw $0x08, 4(%rsp)\n lcall *(%rsp)")

/* Control registers, tables, model-specific registers. */
ASM(read_cr0, "movq %cr0, %rax")
ASM(write_cr0, "movq %rax, %cr0")
ASM(read_cr2, "movq %cr2, %rax")
ASM(read_cr3, "movq %cr3, %rax")
ASM(write_cr3, "movq $0x40000000, %rax\n movq %rax, %cr3")
ASM(write_cr4, "xorl %eax, %eax\n movq %rax, %cr4")
ASM(write_cr8, "movq %rax, %cr8")
ASM(read_dr7, "movq %dr7, %rax")
ASM(write_dr0, "movq %rax, %dr0")
ASM(lmsw, "lmsw %ax")
ASM(smsw, "smsw %ax")
ASM(clts, "clts")
ASM(lgdt, "lgdt (%rsp)")
ASM(lidt, "lidt (%rsp)")
ASM(lldt, "lldt %ax")
ASM(ltr, "ltr %ax")
ASM(sgdt, "subq $16, %rsp\n sgdt (%rsp)\n addq $16, %rsp")
ASM(sidt, "subq $16, %rsp\n sidt (%rsp)\n addq $16, %rsp")
ASM(sldt, "sldt %ax")
ASM(str, "str %ax")
ASM(rdmsr, "movl $0xc0000080, %ecx\n rdmsr")
ASM(rdmsr_apic, "movl $0x1b, %ecx\n rdmsr")
ASM(wrmsr_efer, "movl $0xc0000080, %ecx\n movl $0x501, %eax\n xorl %edx, %edx\n wrmsr")
ASM(wrmsr_lstar, "movl $0xc0000082, %ecx\n wrmsr")
ASM(wrmsr_pv, "movl $0x4b564d01, %ecx\n movl $1, %eax\n wrmsr")
ASM(rdpmc, "xorl %ecx, %ecx\n rdpmc")
ASM(rdtsc, "rdtsc")
ASM(rdtscp, "rdtscp")
ASM(xsetbv, "xorl %ecx, %ecx\n movl $7, %eax\n xorl %edx, %edx\n xsetbv")
ASM(xgetbv, "xorl %ecx, %ecx\n xgetbv")
ASM(swapgs, "swapgs")
ASM(read_fs, "rdfsbase %rax")
ASM(write_fs, "wrfsbase %rax")
ASM(read_gs, "rdgsbase %rax")
ASM(write_gs, "movabsq $0x40000000, %rax\n wrgsbase %rax")
ASM(write_gs_kernel, "movabsq $0xffff888000000000, %rax\n wrgsbase %rax\n movq %gs:0, %rax")
ASM(bad_ds, "movw $0x08, %ax\n movw %ax, %ds")
ASM(null_ds, "xorl %eax, %eax\n movw %ax, %ds")
ASM(bad_ss, "movw $0x10, %ax\n movw %ax, %ss")
ASM(lar, "movw $0x08, %ax\n lar %ax, %bx")
ASM(verr, "movw $0x08, %ax\n verr %ax")

/* Caches, translation, machine state. */
ASM(invd, "invd")
ASM(wbinvd, "wbinvd")
ASM(invlpg, "invlpg (%rsp)")
ASM(invpcid, "xorl %eax, %eax\n invpcid (%rsp), %rax")
ASM(clac, "clac")
ASM(stac, "stac")
ASM(rsm, "rsm")
ASM(monitor, "movq %rsp, %rax\n xorl %ecx, %ecx\n xorl %edx, %edx\n monitor")
ASM(mwait, "xorl %eax, %eax\n xorl %ecx, %ecx\n mwait")

/* Virtualization. */
ASM(vmcall, "movl $5, %eax\n vmcall")
ASM(vmmcall, "movl $5, %eax\n vmmcall")
ASM(vmmcall_pv, "movl $0x17088200, %eax\n vmmcall")
ASM(vmrun, "movq %rsp, %rax\n vmrun")
ASM(vmload, "movq %rsp, %rax\n vmload")
ASM(vmsave, "movq %rsp, %rax\n vmsave")
ASM(stgi, "stgi")
ASM(clgi, "clgi")
ASM(skinit, "skinit")
ASM(vmxon, "vmxon (%rsp)")
ASM(vmread, "vmread %rax, %rbx")
ASM(vmlaunch, "vmlaunch")
ASM(vmfunc, "vmfunc")
ASM(enclu, ".byte 0x0f, 0x01, 0xd7")
ASM(encls, ".byte 0x0f, 0x01, 0xcf")

/* Plain faults. */
ASM(ud2, "ud2")
ASM(divide, "xorl %ecx, %ecx\n divl %ecx")
ASM(unmasked_sse, "subq $16, %rsp\n movl $0, (%rsp)\n ldmxcsr (%rsp)\n xorps %xmm0, %xmm0\n divss %xmm0, %xmm0")
ASM(bad_mxcsr, "subq $16, %rsp\n movl $0xffffffff, (%rsp)\n ldmxcsr (%rsp)")
ASM(avx, "vxorps %ymm0, %ymm0, %ymm0")
ASM(alignment, "pushfq\n orq $0x40000, (%rsp)\n popfq\n movq $0x40000001, %rax\n movl (%rax), %ebx")
ASM(cpuid, "xorl %eax, %eax\n xorl %ecx, %ecx\n cpuid")
ASM(cpuid_hypervisor, "movl $0x40000000, %eax\n cpuid")
ASM(rdrand, "rdrand %rax")
ASM(rdseed, "rdseed %rax")
ASM(rdpid, ".byte 0xf3, 0x0f, 0xc7, 0xf8")
ASM(long_instruction, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")

ASM(rdpru, "xorl %ecx, %ecx\n .byte 0x0f, 0x01, 0xfd")
ASM(read_pkru, "xorl %ecx, %ecx\n rdpkru")
ASM(write_pkru, "xorl %ecx, %ecx\n xorl %edx, %edx\n movl $0x55555554, %eax\n wrpkru")
ASM(xsave, "movl $0x40000000, %ebx\n movl $-1, %eax\n movl $-1, %edx\n xsave (%rbx)")
ASM(xrstor, "movl $0x40000000, %ebx\n movl $-1, %eax\n movl $-1, %edx\n xrstor (%rbx)")
ASM(xrstor_bad, "movl $0x40000000, %ebx\n movl $-1, 512(%rbx)\n movl $-1, 516(%rbx)\n movl $-1, %eax\n movl $-1, %edx\n xrstor (%rbx)")
ASM(xsaves, "movl $0x40000000, %ebx\n movl $-1, %eax\n movl $-1, %edx\n xsaves (%rbx)")
ASM(umwait, "xorl %edx, %edx\n xorl %eax, %eax\n xorl %ecx, %ecx\n umwait %ecx")
ASM(flush_line, "clflush (%rsp)")
ASM(flush_doorbell, "movabsq $0x400000000, %rax\n clflush (%rax)")
ASM(avx_512, ".byte 0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0")
ASM(tile_config, ".byte 0xc4, 0xe2, 0x78, 0x49, 0x04, 0x24")
ASM(transaction, ".byte 0xc7, 0xf8, 0x00, 0x00, 0x00, 0x00")
ASM(pconfig, ".byte 0x0f, 0x01, 0xc5")
ASM(uiret, ".byte 0xf3, 0x0f, 0x01, 0xec")
ASM(senduipi, "xorl %eax, %eax\n .byte 0xf3, 0x0f, 0xc7, 0xf0")

/* Memory. Code is `ret` wherever it is put, so that an attack that works comes back. */
__attribute__((used)) static const uint8_t constant[] = {0xc3};
ASM(read_null, "xorl %eax, %eax\n movl (%rax), %ebx")
ASM(read_page_tables, "movl $0x1000, %eax\n movl (%rax), %ebx")
ASM(write_page_tables, "movl $0x1000, %eax\n movl $7, (%rax)")
ASM(write_text, "movl $0x401000, %eax\n movl $0x90909090, (%rax)")
ASM(write_constants, "movl $0x400000, %eax\n movl $0x90909090, (%rax)")
ASM(write_order, "movl $0x30000000, %eax\n movl $1, (%rax)")
ASM(run_stack, "pushq $0xc3\n movq %rsp, %rax\n call *%rax\n popq %rax")
ASM(run_mail, "movl $0x40000000, %eax\n movb $0xc3, (%rax)\n call *%rax")
ASM(run_report, "movl $0x30001800, %eax\n movb $0xc3, (%rax)\n call *%rax")
ASM(run_data, "movl $data, %eax\n movb $0xc3, (%rax)\n call *%rax")
ASM(run_linear, "movabsq $0x100000000, %rax\n movb $0xc3, (%rax)\n call *%rax")
ASM(run_constants, "movl $constant, %eax\n call *%rax")
ASM(jump_to_doorbell, "movabsq $0x400000000, %rax\n jmp *%rax")
ASM(read_unmapped, "movabsq $0x500000000, %rax\n movl (%rax), %ebx")
ASM(read_non_canonical, "movabsq $0x00ff000000000000, %rax\n movl (%rax), %ebx")
ASM(read_kernel_half, "movabsq $0xffff800000000000, %rax\n movl (%rax), %ebx")
ASM(read_last_page, "movq $-8, %rax\n movl (%rax), %ebx")
ASM(write_kernel_half, "movabsq $0xffffffff81000000, %rax\n movl $1, (%rax)")
ASM(jump_to_kernel_half, "movabsq $0xffffffff81000000, %rax\n jmp *%rax")
ASM(below_stack, "movl $0x37800000, %eax\n movl -8(%rax), %ebx")
ASM(beyond_stack, "movl $0x38000000, %eax\n movl (%rax), %ebx")
ASM(beyond_mail, "movl $0x44000000, %eax\n movl (%rax), %ebx")
ASM(beyond_linear, "movabsq $0x200000000, %rax\n movl -4(%rax), %ebx")
ASM(far_beyond_linear, "movabsq $0x2ffffffff, %rax\n movb (%rax), %bl")
ASM(lose_stack, "xorl %esp, %esp\n pushq %rax")
ASM(stack_to_kernel, "movq $-16, %rsp\n pushq %rax")

/* The doorbell. */
ASM(doorbell_read, "movabsq $0x400000000, %rax\n movl (%rax), %ebx")
ASM(doorbell_byte, "movabsq $0x400000000, %rax\n movb $1, (%rax)")
ASM(doorbell_short, "movabsq $0x400000000, %rax\n movw $1, (%rax)")
ASM(doorbell_long, "movabsq $0x400000000, %rax\n movq $1, (%rax)")
ASM(doorbell_beside, "movabsq $0x400000004, %rax\n movl $1, (%rax)")
ASM(doorbell_end, "movabsq $0x400000ffe, %rax\n movl $1, (%rax)")
ASM(doorbell_vector, "movabsq $0x400000000, %rax\n movups %xmm0, (%rax)")
ASM(doorbell_locked, "movabsq $0x400000000, %rax\n lock addl $1, (%rax)")
ASM(doorbell_string, "movabsq $0x400000000, %rdi\n movl $64, %ecx\n rep stosb")
ASM(doorbell_string_read, "movabsq $0x400000000, %rsi\n movl $0x40000000, %edi\n movl $64, %ecx\n rep movsb")
ASM(doorbell_stack, "movabsq $0x400000800, %rsp\n pushq %rax")
ASM(doorbell_exchange, "movabsq $0x400000000, %rbx\n xorl %eax, %eax\n lock cmpxchg8b (%rbx)")

ASM(doorbell_direct, "movabsq $0x400000000, %rax\n movl $0x40000000, %ebx\n .byte 0x66, 0x0f, 0x38, 0xf8, 0x03")
ASM(doorbell_save, "movabsq $0x400000000, %rbx\n fxsave (%rbx)")
ASM(doorbell_load, "movabsq $0x400000000, %rbx\n fxrstor (%rbx)")
ASM(doorbell_not_temporal, "movabsq $0x400000000, %rbx\n movnti %rax, (%rbx)")

/* Marks in registers, which a reset must wipe; the finder dies by `ud2` where it sees one. */
ASM(leave_sse, "movq $-1, %rax\n movq %rax, %xmm7\n movq %rax, %xmm15\n movq %rax, %mm3")
ASM(find_sse, "movq %xmm7, %rax\n movq %xmm15, %rcx\n orq %rcx, %rax\n movq %mm3, %rcx\n orq %rcx, %rax\n jz 1f\n ud2\n 1:")
ASM(leave_avx, "vpcmpeqd %xmm7, %xmm7, %xmm7\n vinsertf128 $1, %xmm7, %ymm7, %ymm7\n xorps %xmm7, %xmm7")
ASM(find_avx, "vextractf128 $1, %ymm7, %xmm0\n movq %xmm0, %rax\n testq %rax, %rax\n jz 1f\n ud2\n 1:")
ASM(leave_bases, "movq $0x40000000, %rax\n wrfsbase %rax\n wrgsbase %rax")
ASM(find_bases, "rdfsbase %rax\n rdgsbase %rcx\n orq %rcx, %rax\n jz 1f\n ud2\n 1:")
ASM(leave_rights, "xorl %ecx, %ecx\n xorl %edx, %edx\n movl $0x55555550, %eax\n wrpkru")
ASM(find_rights, "xorl %ecx, %ecx\n rdpkru\n testl $0x55555550, %eax\n jz 1f\n ud2\n 1:")

/* The mail. */
static void bell_zero(void) { ring(0); }
static void bell_unknown(void) { ring(0xffffffff); }
static void bell_trap(void) {
	REPORT->trap = 0xffffffff;
	ring(BELL_TRAPPED);
}
static void text_too_long(void) {
	REPORT->text_bytes = TEXT_BYTES + 1;
	rest();
}
static void text_endless(void) {
	REPORT->text_bytes = 0xffffffff;
	rest();
}
static void memory_none(void) {
	REPORT->memory_pages = 0;
	rest();
}
static void memory_endless(void) {
	REPORT->memory_pages = 0xffffffff;
	rest();
}
static void stop_unknown(void) {
	REPORT->stop = 99;
	rest();
}
static void stop_negative(void) {
	REPORT->stop = 0x80000000;
	rest();
}
static void stop_unasked(void) {
	REPORT->stop = STOP_CPU;
	rest();
}
static void fault_unasked(void) {
	REPORT->stop = STOP_FAULT;
	rest();
}
static void unknown_at_start(void) {
	REPORT->unknown_call = 7;
	rest();
}
static void unknown_with_stop(void) {
	MAIL_TEXT[0] = 'o';
	REPORT->text_bytes = 1;
	rest();
	REPORT->unknown_call = 7;
	REPORT->stop = STOP_MEMORY;
	rest();
}
static void endless(void) {
	for (;;) __asm__ volatile("pause");
}
static void endless_with_promises(void) {
	for (;;) REPORT->stop_seen = 1;
}
static void endless_memory(void) {
	for (uint64_t at = 0;; at = (at + PAGE_BYTES) % TEXT_BYTES) MAIL_TEXT[at] = 1;
}
static void whole_text(void) {
	REPORT->text_bytes = TEXT_BYTES;
	rest();
}
static void rest_at_once(void) {
	for (int i = 0; i < 3; i++) rest();
}

/** Says that it waits, and for what. */
static void ask(uint32_t number) {
	static const char before[] = "a ", after[] = " 1 \"search\" {}\no";
	char digits[10];
	uint32_t count = 0;
	uint32_t bytes = 0;
	for (uint32_t left = number; left > 0; left /= 10) digits[count++] = (char)('0' + left % 10);
	for (uint32_t i = 0; i < sizeof before - 1; i++) MAIL_TEXT[bytes++] = before[i];
	while (count > 0) MAIL_TEXT[bytes++] = digits[--count];
	for (uint32_t i = 0; i < sizeof after - 1; i++) MAIL_TEXT[bytes++] = after[i];
	REPORT->text_bytes = bytes;
}
static void asks_for_ever(void) {
	for (uint32_t number = 1;; number++) {
		ask(number);
		rest();
	}
}
static void endless_later(void) {
	ask(1);
	rest();
	endless();
}

ASM(deep_recursion, "1: pushq %rax\n jmp 1b")

struct attack {
	const char *name;
	void (*run)(void);
};

#define MUST_DIE(name) {"!" #name, name}
#define MAY_LIVE(name) {"?" #name, name}
#define IS_STOPPED(name) {"~" #name, name}
#define IS_HARMLESS(name) {"=" #name, name}

static const struct attack attacks[] = {
	MUST_DIE(in_byte), MUST_DIE(out_byte), MUST_DIE(out_word), MUST_DIE(out_fixed), MUST_DIE(in_string),
	MUST_DIE(out_string), MUST_DIE(cli), MUST_DIE(sti), MUST_DIE(hlt), MUST_DIE(int_80), MUST_DIE(int_3),
	MUST_DIE(int_1), MUST_DIE(int_0d), MUST_DIE(int_nmi), MUST_DIE(iopl), MUST_DIE(interrupt_flag),
	MUST_DIE(trap_flag), MUST_DIE(nested_flag), MUST_DIE(system_call), MUST_DIE(system_enter), MUST_DIE(system_return),
	MUST_DIE(system_exit), MUST_DIE(return_to_ring_0), MUST_DIE(far_return), MUST_DIE(far_jump), MUST_DIE(far_call),
	MUST_DIE(read_cr0), MUST_DIE(write_cr0), MUST_DIE(read_cr2), MUST_DIE(read_cr3), MUST_DIE(write_cr3),
	MUST_DIE(write_cr4), MUST_DIE(write_cr8), MUST_DIE(read_dr7), MUST_DIE(write_dr0), MUST_DIE(lmsw), MAY_LIVE(smsw),
	MUST_DIE(clts), MUST_DIE(lgdt), MUST_DIE(lidt), MUST_DIE(lldt), MUST_DIE(ltr), MAY_LIVE(sgdt), MAY_LIVE(sidt),
	MAY_LIVE(sldt), MAY_LIVE(str), MUST_DIE(rdmsr), MUST_DIE(rdmsr_apic), MUST_DIE(wrmsr_efer), MUST_DIE(wrmsr_lstar),
	MUST_DIE(wrmsr_pv), MUST_DIE(rdpmc), MAY_LIVE(rdtsc), MAY_LIVE(rdtscp), MUST_DIE(xsetbv), MAY_LIVE(xgetbv),
	MUST_DIE(swapgs), MAY_LIVE(read_fs), MAY_LIVE(write_fs), MAY_LIVE(read_gs), MAY_LIVE(write_gs), MUST_DIE(write_gs_kernel), MUST_DIE(bad_ds), MAY_LIVE(null_ds), MUST_DIE(bad_ss),
	MAY_LIVE(lar), MAY_LIVE(verr), MUST_DIE(invd), MUST_DIE(wbinvd), MUST_DIE(invlpg), MUST_DIE(invpcid), MUST_DIE(clac),
	MUST_DIE(stac), MUST_DIE(rsm), MUST_DIE(monitor), MUST_DIE(mwait), MAY_LIVE(vmcall), MAY_LIVE(vmmcall),
	MAY_LIVE(vmmcall_pv), MUST_DIE(vmrun), MUST_DIE(vmload), MUST_DIE(vmsave), MUST_DIE(stgi), MUST_DIE(clgi),
	MUST_DIE(skinit), MUST_DIE(vmxon), MUST_DIE(vmread), MUST_DIE(vmlaunch), MUST_DIE(vmfunc), MUST_DIE(enclu),
	MUST_DIE(encls), MUST_DIE(ud2), MUST_DIE(divide), MUST_DIE(unmasked_sse), MUST_DIE(bad_mxcsr), MAY_LIVE(avx),
	MAY_LIVE(alignment), MAY_LIVE(cpuid), MAY_LIVE(cpuid_hypervisor), MAY_LIVE(rdrand), MAY_LIVE(rdseed),
	MAY_LIVE(rdpid), MAY_LIVE(rdpru), MAY_LIVE(read_pkru), MAY_LIVE(write_pkru), MAY_LIVE(xsave), MAY_LIVE(xrstor), MUST_DIE(xrstor_bad), MUST_DIE(xsaves), MAY_LIVE(umwait), MAY_LIVE(flush_line), MAY_LIVE(flush_doorbell), MAY_LIVE(avx_512), MUST_DIE(tile_config), MAY_LIVE(transaction), MUST_DIE(pconfig), MUST_DIE(uiret), MUST_DIE(senduipi), MUST_DIE(long_instruction), MUST_DIE(read_null), MUST_DIE(read_page_tables),
	MUST_DIE(write_page_tables), MUST_DIE(write_text), MUST_DIE(write_constants), MUST_DIE(write_order),
	MUST_DIE(run_stack), MUST_DIE(run_mail), MUST_DIE(run_report), MUST_DIE(run_data), MUST_DIE(run_linear), MUST_DIE(run_constants), MUST_DIE(jump_to_doorbell),
	MUST_DIE(read_unmapped), MUST_DIE(read_non_canonical), MUST_DIE(read_kernel_half), MUST_DIE(read_last_page),
	MUST_DIE(write_kernel_half), MUST_DIE(jump_to_kernel_half), MUST_DIE(below_stack), MUST_DIE(beyond_stack),
	MUST_DIE(beyond_mail), MUST_DIE(beyond_linear), MUST_DIE(far_beyond_linear), MUST_DIE(lose_stack),
	MUST_DIE(stack_to_kernel), MUST_DIE(doorbell_read), MUST_DIE(doorbell_byte), MUST_DIE(doorbell_short),
	MUST_DIE(doorbell_long), MUST_DIE(doorbell_beside), MUST_DIE(doorbell_end), MUST_DIE(doorbell_vector),
	MUST_DIE(doorbell_locked), MUST_DIE(doorbell_string), MUST_DIE(doorbell_string_read), MUST_DIE(doorbell_stack),
	MUST_DIE(doorbell_exchange), MUST_DIE(doorbell_direct), MUST_DIE(doorbell_save), MUST_DIE(doorbell_load), MUST_DIE(doorbell_not_temporal), IS_HARMLESS(leave_sse), IS_HARMLESS(find_sse), MAY_LIVE(leave_avx), MAY_LIVE(find_avx), MAY_LIVE(leave_bases), MAY_LIVE(find_bases), MAY_LIVE(leave_rights), MAY_LIVE(find_rights), MUST_DIE(bell_zero), MUST_DIE(bell_unknown), MUST_DIE(bell_trap),
	MUST_DIE(text_too_long), MUST_DIE(text_endless), MUST_DIE(memory_none), MUST_DIE(memory_endless),
	MUST_DIE(stop_unknown), MUST_DIE(stop_negative), MUST_DIE(stop_unasked), MUST_DIE(fault_unasked),
	MUST_DIE(unknown_at_start), IS_HARMLESS(unknown_with_stop),
	MUST_DIE(deep_recursion), IS_STOPPED(endless), IS_STOPPED(endless_with_promises), IS_STOPPED(endless_memory),
	IS_HARMLESS(whole_text), IS_HARMLESS(rest_at_once),
	IS_HARMLESS(asks_for_ever), IS_HARMLESS(endless_later),
};
#define ATTACKS (sizeof attacks / sizeof attacks[0])

static void say(const char *text) {
	uint32_t bytes = REPORT->text_bytes;
	while (*text != 0) MAIL_TEXT[bytes++] = *text++;
	REPORT->text_bytes = bytes;
}

static void list(void) {
	for (size_t i = 0; i < ATTACKS; i++) {
		say(attacks[i].name);
		say("\n");
	}
}

static void serve(void) {
	char first = MAIL_TEXT[0];
	uint32_t number = 0;
	for (uint32_t i = 0; i < ORDER->text_bytes && i < 4; i++) number = number * 10 + (uint32_t)(MAIL_TEXT[i] - '0');
	REPORT->text_bytes = 0;
	REPORT->stop = STOP_NONE;
	REPORT->unknown_call = 0;
	if (first == 'l') {
		list();
		return;
	}
	if (number >= ATTACKS) return;
	attacks[number].run();
	REPORT->text_bytes = 0;
	say("survived");
}

__attribute__((noreturn, used)) static void live(void) {
	REPORT->memory_pages = 16;
	REPORT->stack_pointer = PAGE_BYTES;
	REPORT->scratch = PAGE_BYTES;
	REPORT->scratch_bytes = PAGE_BYTES;
	for (;;) {
		rest();
		REPORT->memory_pages = 16;
		serve();
	}
}

/* A data segment, which every guest must have. */
__attribute__((used)) static volatile uint32_t data = 1;

void _start(void);

__attribute__((naked, noreturn)) void _start(void) {
	__asm__ volatile("xor %ebp, %ebp\n\tcall live");
}
