# Keel's build. `make` makes everything under build/; `./keel` calls it. A source file is picked up by its place:
# adding a file to a folder is enough. Every object depends on the headers it read (-MMD).
CC = gcc
B = build
WARN = -std=gnu17 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
COMMON = $(WARN) -I. -MMD -MP -g -fno-common -fno-strict-aliasing -ffreestanding -nostdlib -fno-asynchronous-unwind-tables
# The kernel: small, general registers only, in the top 2 GB.
# Two variants, chosen by include path: release, and debug (lock order, failing allocations). The passes switched off
# at the end of the list make this kernel larger, and so do jumps that are copied with more than a few statements, and
# data that is aligned to more than it needs.
KERNEL_CFLAGS = $(COMMON) -Ikernel/arch/x86_64 -Oz -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -fstack-protector-explicit -mstack-protector-guard=global \
	'-DLIST_INLINE=__attribute__((noinline,unused))' -fno-builtin-printf -ffunction-sections -fdata-sections -fcf-protection=none -fno-jump-tables -flto=1 -flto-partition=one \
	-mpreferred-stack-boundary=3 -fno-tree-loop-im -fipa-pta -fno-move-loop-invariants -fno-caller-saves -fno-tree-tail-merge -fno-ipa-sra --param=max-jump-thread-duplication-stmts=10 -malign-data=abi -fno-tree-fre
# A third, the debug kernel that ends at an invalid instruction where the language leaves the behaviour undefined.
KERNEL_TRAPS = -fsanitize=undefined -fsanitize-undefined-trap-on-error
# Boot code: runs once, identity mapped below 4 GB. It fills structures of the kernel: the locks in them have their
# rank, which only the debug kernel looks at.
BOOT_CFLAGS = $(COMMON) -Ikernel/arch/x86_64 -Ikernel/variant/debug -Os -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -fno-jump-tables
# The EFI program: the same at any address, without relocations.
EFI_CFLAGS = $(filter-out -fno-pic -fno-pie,$(BOOT_CFLAGS)) -fPIE -fvisibility=hidden
# The personality: freestanding, general registers only (the guest's vector state stays in place), linked at 64 TB.
LINUX_CFLAGS = $(COMMON) -O2 -mgeneral-regs-only -fPIE -fno-stack-protector -fcf-protection=none -fvisibility=hidden
# Native servers and drivers: C with musl.
NATIVE_CFLAGS = $(WARN) -I. -MMD -MP -g -O2 -fno-pie -fno-stack-protector -fcf-protection=none

objects = $(patsubst %,$(B)/$(1)/%.o,$(2))

KERNEL_SRC = $(wildcard kernel/*.c kernel/*.S kernel/arch/x86_64/*.c kernel/arch/x86_64/*.S) lib/base/string.c lib/base/tree.c
BOOT_SRC = $(wildcard boot/*.c boot/*.S) kernel/zone.c kernel/zone_init.c $(wildcard lib/base/*.c)
EFI_SRC = $(wildcard boot/efi/*.c boot/efi/*.S) boot/console.c boot/source.c $(addprefix lib/base/,elf.c format.c string.c)
LINUX_SRC = $(wildcard linux/*.c linux/*/*.c linux/*.S linux/arch/x86_64/*.S linux/arch/x86_64/*.c) $(wildcard lib/base/*.c) $(wildcard lib/virtqueue/*.c) lib/pci/accelerator.c lib/native/ipc_call.S
NATIVE_LIB_SRC = $(wildcard lib/native/*.c lib/native/*.S lib/virtqueue/*.c) lib/base/elf.c lib/base/cpio.c
# Drivers that `devices` starts: every folder with a manifest.
DRIVERS = $(patsubst drivers/%/manifest,%,$(wildcard drivers/*/manifest))
DRIVER_LIB_SRC = $(wildcard lib/driver/*.c lib/virtio/*.c lib/pci/*.c)

all: $(B)/keel.elf $(B)/efi.elf $(B)/bin/init $(B)/bin/serial $(B)/bin/devices $(B)/bin/linux $(DRIVERS:%=$(B)/bin/%)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

define compile
$(B)/$(1)/%.c.o: %.c Makefile
	@mkdir -p $$(dir $$@)
	$(2) -c $$< -o $$@
$(B)/$(1)/%.S.o: %.S Makefile
	@mkdir -p $$(dir $$@)
	$(2) -c $$< -o $$@
endef
$(eval $(call compile,kernel,$(CC) $(KERNEL_CFLAGS) -Ikernel/variant/release))
$(eval $(call compile,kernel-debug,$(CC) $(KERNEL_CFLAGS) -Ikernel/variant/debug -DLIST_CHECK=debug_list_check))
$(eval $(call compile,kernel-traps,$(CC) $(KERNEL_CFLAGS) -Ikernel/variant/debug -DLIST_CHECK=debug_list_check $(KERNEL_TRAPS)))
$(eval $(call compile,boot,$(CC) $(BOOT_CFLAGS)))
$(eval $(call compile,efi,$(CC) $(EFI_CFLAGS)))
$(eval $(call compile,linux,$(CC) $(LINUX_CFLAGS)))
$(eval $(call compile,native,musl-gcc $(NATIVE_CFLAGS)))
$(eval $(call compile,native-upper,musl-gcc $(NATIVE_CFLAGS) -fPIE))
# Native code that also runs at another address than it was linked at (tests/native/kfuzz_worker.c).
$(eval $(call compile,movable,musl-gcc $(NATIVE_CFLAGS) -fPIE -fvisibility=hidden -fno-jump-tables -mgeneral-regs-only))

KERNEL_LINK = $(CC) $(filter-out -MMD -MP,$(KERNEL_CFLAGS)) -nostdlib -static -no-pie -Wl,--gc-sections,--build-id=none,-z,noexecstack,-n,--emit-relocs -T kernel/arch/x86_64/kernel.ld
$(B)/kernel.sym.elf: $(call objects,kernel,$(KERNEL_SRC)) kernel/arch/x86_64/kernel.ld
	$(KERNEL_LINK) -o $@ $(filter %.o,$^)
# The same kernel for another address: a test compares (tests/harness/image.py).
$(B)/kernel-moved.sym.elf: $(B)/kernel.sym.elf
	$(KERNEL_LINK) -Wl,--defsym=kernel_link_address=0xffffffff9a345000 -o $@ $(call objects,kernel,$(KERNEL_SRC))
$(B)/kernel-debug.sym.elf: $(call objects,kernel-debug,$(KERNEL_SRC) $(wildcard kernel/variant/debug/*.c)) kernel/arch/x86_64/kernel.ld
	$(KERNEL_LINK) -o $@ $(filter %.o,$^)
$(B)/kernel-traps.sym.elf: $(call objects,kernel-traps,$(KERNEL_SRC) $(wildcard kernel/variant/debug/*.c)) kernel/arch/x86_64/kernel.ld
	$(KERNEL_LINK) $(KERNEL_TRAPS) -o $@ $(filter %.o,$^)
$(B)/%.elf: $(B)/%.sym.elf
	strip -s -R .comment -R '.rela.*' -R .patches -o $@ $<
	python3 tools/elf_trim.py $@
# What the loader must know of it, to move it and to isolate its page tables.
$(B)/%.notes: $(B)/%.sym.elf tools/kernel_notes.py
	python3 tools/kernel_notes.py $< $@

# What QEMU starts: the PVH loader with a stripped kernel inside.
BOOT_LINK = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack,-z,max-page-size=4096 -T boot/boot.ld
BOOT_OBJECTS = $(filter-out %/kernel_image.S.o,$(call objects,boot,$(BOOT_SRC)))
$(B)/%.image.o: boot/kernel_image.S $(B)/%.elf $(B)/%.notes
	$(CC) $(BOOT_CFLAGS) -DKERNEL_IMAGE='"$(B)/$*.elf"' -DKERNEL_NOTES='"$(B)/$*.notes"' -c $< -o $@
$(B)/keel.elf: $(BOOT_OBJECTS) $(B)/kernel.image.o boot/boot.ld
	$(BOOT_LINK) -o $@ $(filter %.o,$^)
$(B)/keel-debug.elf: $(BOOT_OBJECTS) $(B)/kernel-debug.image.o boot/boot.ld
	$(BOOT_LINK) -o $@ $(filter %.o,$^)
$(B)/keel-traps.elf: $(BOOT_OBJECTS) $(B)/kernel-traps.image.o boot/boot.ld
	$(BOOT_LINK) -o $@ $(filter %.o,$^)

# Carries the boot image when the firmware is UEFI; tools/launch/efi.py puts them together.
$(B)/efi.elf: $(call objects,efi,$(EFI_SRC)) boot/efi/efi.ld
	$(CC) -nostdlib -static-pie -Wl,--build-id=none,--no-dynamic-linker,-z,noexecstack,-z,norelro,-z,max-page-size=4096 -T boot/efi/efi.ld -o $@ $(filter %.o,$^)

# Native programs: build/sym/NAME has the symbols, build/bin/NAME is what goes into the archive.
NATIVE_LINK = musl-gcc -static -no-pie -Wl,-e,native_start -Wl,--build-id=none
native = $(call objects,native,$(1) $(NATIVE_LIB_SRC))
$(B)/sym/init: $(call native,$(wildcard servers/init/*.c))
$(B)/sym/devices: $(call native,$(wildcard servers/devices/*.c) servers/init/archive.c lib/pci/config.c)
# Drivers with a console link (abi/console.h), which init starts.
CONSOLE_LIB_SRC = $(wildcard lib/console/*.c)
$(B)/sym/serial: $(call native,$(wildcard drivers/serial/*.c) $(CONSOLE_LIB_SRC))
$(B)/sym/display: $(call native,$(wildcard drivers/display/*.c lib/terminal/*.c) $(CONSOLE_LIB_SRC))
$(B)/sym/keelstat: $(call native,$(wildcard servers/keelstat/*.c))
$(B)/sym/swifi: $(call native,$(wildcard servers/swifi/*.c))
$(B)/sym/ktest: $(call native,$(wildcard tests/native/ktest*.c))
$(B)/sym/rtest: $(call native,tests/native/rtest.c tests/native/check.c)
$(B)/sym/kbound: $(call native,tests/native/kbound.c)
$(B)/sym/kfuzz: $(call native,tests/native/kfuzz.c) $(B)/movable/tests/native/kfuzz_worker.c.o
$(B)/sym/provoke: $(call native,tests/native/provoke.c)
$(B)/sym/dtest: $(call native,$(wildcard tests/native/dtest*.c) tests/native/check.c)
$(B)/sym/ksched: $(call native,$(wildcard tests/native/ksched*.c) tests/native/check.c)
$(B)/sym/init $(B)/sym/devices $(B)/sym/serial $(B)/sym/display $(B)/sym/keelstat $(B)/sym/swifi $(B)/sym/ktest $(B)/sym/rtest $(B)/sym/kfuzz $(B)/sym/provoke $(B)/sym/kbound $(B)/sym/ksched $(B)/sym/dtest:
	@mkdir -p $(dir $@)
	$(NATIVE_LINK) -o $@ $^
define driver
$(B)/sym/$(1): $(call native,$(wildcard drivers/$(1)/*.c) $(DRIVER_LIB_SRC))
	@mkdir -p $$(dir $$@)
	$(NATIVE_LINK) -o $$@ $$^
endef
$(foreach name,$(DRIVERS),$(eval $(call driver,$(name))))
# The kernel's benchmark: in the upper half, so that the lower one is free for guests.
$(B)/sym/kbench: $(call objects,native-upper,$(wildcard bench/kbench*.c) bench/kbench_loops.S $(NATIVE_LIB_SRC))
	@mkdir -p $(dir $@)
	$(NATIVE_LINK) -Wl,-Ttext-segment=0x400000000000,--no-relax,--defsym=_DYNAMIC=0x400000000000 -o $@ $^
$(B)/bin/%: $(B)/sym/%
	@mkdir -p $(dir $@)
	strip -s -o $@ $<
# The vDSO that the personality carries inside.
VDSO_CFLAGS = $(WARN) -I. -O2 -fPIC -ffreestanding -fno-builtin -fno-stack-protector -fcf-protection=none -mgeneral-regs-only
$(B)/vdso.so: linux/vdso/guest/vdso.c linux/vdso/guest/vdso.ld linux/vdso/data.h Makefile
	@mkdir -p $(dir $@)
	$(CC) $(VDSO_CFLAGS) -shared -nostdlib -Wl,-Bsymbolic,--hash-style=both,--build-id=none,-soname=linux-vdso.so.1,-z,max-page-size=4096,-z,noexecstack -T linux/vdso/guest/vdso.ld -o $@ $<
	strip -s $@
$(B)/linux/linux/arch/x86_64/vdso_image.S.o: $(B)/vdso.so
$(B)/sym/linux: $(call objects,linux,$(LINUX_SRC)) linux/linux.ld
	@mkdir -p $(dir $@)
	$(CC) -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack,-z,max-page-size=4096 -Wl,--no-relax -T linux/linux.ld -o $@ $(filter %.o,$^)

# The comparison peer's first program (tests/system/peer_init.c), run by Debian's Linux.
$(B)/peer/init: tests/system/peer_init.c
	@mkdir -p $(dir $@)
	musl-gcc $(WARN) -O2 -static -o $@ $<

clean:
	rm -rf $(B)
.PHONY: all clean
.SECONDARY:
