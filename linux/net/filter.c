/* See filter.h. */
#include "linux/net/filter.h"

#include <stdbool.h>
#include <stddef.h>

#include "abi/errors.h"

enum { LD = 0, LDX = 1, ST = 2, STX = 3, ALU = 4, JMP = 5, RET = 6, MISC = 7 };
enum { SIZE_W = 0, SIZE_H = 0x08, SIZE_B = 0x10 };
enum { IMM = 0, ABS = 0x20, IND = 0x40, MEM = 0x60, LEN = 0x80, MSH = 0xa0 };
enum {
    ADD = 0,
    SUB = 0x10,
    MUL = 0x20,
    DIV = 0x30,
    OR = 0x40,
    AND = 0x50,
    LSH = 0x60,
    RSH = 0x70,
    NEG = 0x80,
    MOD = 0x90,
    XOR = 0xa0
};
enum { JA = 0, JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40 };
enum { SOURCE_X = 0x08, RETURN_A = 0x10, TAX = 0, TXA = 0x80 };
enum { CLASS_MASK = 0x07, SIZE_MASK = 0x18, MODE_MASK = 0xe0, OPERATION_MASK = 0xf0 };
/* Offsets beyond these are no places in the frame. */
#define AD_OFF  (-0x1000)
#define NET_OFF (-0x100000)
#define LL_OFF  (-0x200000)
enum { AD_PROTOCOL = 0, AD_PKTTYPE = 4, AD_IFINDEX = 8, AD_HATYPE = 28, AD_VLAN = 44, AD_VLAN_PRESENT = 48 };

/* ---- checking ---- */

static bool load_valid(const struct sock_filter *instruction) {
    uint32_t mode = instruction->code & MODE_MASK, size = instruction->code & SIZE_MASK;
    if (size > SIZE_B)
        return false;
    switch (mode) {
    case ABS:
        if ((int32_t)instruction->k >= AD_OFF && (int32_t)instruction->k < 0)
            switch ((int32_t)instruction->k - AD_OFF) {
            case AD_PROTOCOL:
            case AD_PKTTYPE:
            case AD_IFINDEX:
            case AD_HATYPE:
            case AD_VLAN:
            case AD_VLAN_PRESENT:
                return true;
            default:
                return false;
            }
        return true;
    case IND:
        return true;
    case IMM:
    case LEN:
        return size == SIZE_W;
    case MEM:
        return size == SIZE_W && instruction->k < BPF_MEMWORDS;
    default:
        return false;
    }
}

static bool load_x_valid(const struct sock_filter *instruction) {
    switch (instruction->code & (MODE_MASK | SIZE_MASK)) {
    case IMM | SIZE_W:
    case LEN | SIZE_W:
    case MSH | SIZE_B:
        return true;
    case MEM | SIZE_W:
        return instruction->k < BPF_MEMWORDS;
    default:
        return false;
    }
}

static bool arithmetic_valid(const struct sock_filter *instruction) {
    uint32_t operation = instruction->code & OPERATION_MASK;
    bool constant = !(instruction->code & SOURCE_X);
    if (operation == DIV || operation == MOD)
        return !constant || instruction->k != 0;
    if (operation == LSH || operation == RSH)
        return !constant || instruction->k < 32;
    return operation <= XOR && (operation != NEG || constant);
}

/* left: instructions behind this one. */
static bool jump_valid(const struct sock_filter *instruction, uint32_t left) {
    uint32_t operation = instruction->code & OPERATION_MASK;
    if (instruction->code == (JMP | JA))
        return instruction->k < left;
    return operation >= JEQ && operation <= JSET && instruction->jt < left && instruction->jf < left;
}

static bool instruction_valid(const struct sock_filter *instruction, uint32_t left) {
    if (instruction->code > UINT8_MAX)
        return false;
    switch (instruction->code & CLASS_MASK) {
    case LD:
        return load_valid(instruction);
    case LDX:
        return load_x_valid(instruction);
    case ST:
    case STX:
        return instruction->code <= STX && instruction->k < BPF_MEMWORDS;
    case ALU:
        return arithmetic_valid(instruction);
    case JMP:
        return jump_valid(instruction, left);
    case RET:
        return instruction->code == RET || instruction->code == (RET | RETURN_A);
    default:
        return instruction->code == (MISC | TAX) || instruction->code == (MISC | TXA);
    }
}

int filter_check(const struct sock_filter *instructions, uint32_t length) {
    if (length == 0 || length > BPF_MAXINSNS)
        return -EINVAL;
    for (uint32_t i = 0; i < length; i++)
        if (!instruction_valid(&instructions[i], length - 1 - i))
            return -EINVAL;
    return (instructions[length - 1].code & CLASS_MASK) == RET ? 0 : -EINVAL;
}

/* ---- running ---- */

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
};

static bool extra_load(const struct filter_frame *frame, int32_t what, uint32_t *value) {
    switch (what) {
    case AD_PROTOCOL:
        *value = frame->protocol;
        return true;
    case AD_PKTTYPE:
        *value = frame->type;
        return true;
    case AD_IFINDEX:
        *value = (uint32_t)frame->ifindex;
        return true;
    case AD_HATYPE:
        *value = frame->hatype;
        return true;
    case AD_VLAN: /* tags stay in the frame */
    case AD_VLAN_PRESENT:
        *value = 0;
        return true;
    default:
        return false;
    }
}

/* Bytes at an offset, most significant first; false when they are not all in the frame. */
static bool frame_load(const struct filter_frame *frame, uint32_t at, uint32_t size, uint32_t *value) {
    const uint8_t *from = frame->bytes, *end = frame->bytes + frame->length;
    int32_t place = (int32_t)at;
    if (place < 0 && place >= AD_OFF)
        return extra_load(frame, place - AD_OFF, value);
    if (place < 0) {
        from = place >= NET_OFF ? frame->network : place >= LL_OFF ? frame->link : NULL;
        place -= place >= NET_OFF ? NET_OFF : LL_OFF;
    }
    uint32_t count = size == SIZE_W ? 4 : size == SIZE_H ? 2 : 1;
    if (!from || (size_t)(end - from) < count || (size_t)place > (size_t)(end - from) - count)
        return false;
    *value = 0;
    for (uint32_t i = 0; i < count; i++)
        *value = *value << 8 | from[(size_t)place + i];
    return true;
}

/* LD and LDX: false when the frame does not have what is asked for. */
static bool load(struct machine *machine, const struct filter_frame *frame,
                 const struct sock_filter *instruction, uint32_t *value) {
    uint32_t size = instruction->code & SIZE_MASK;
    switch (instruction->code & MODE_MASK) {
    case IMM:
        *value = instruction->k;
        return true;
    case ABS:
        return frame_load(frame, instruction->k, size, value);
    case IND:
        return frame_load(frame, machine->x + instruction->k, size, value);
    case MEM:
        *value = machine->memory[instruction->k];
        return true;
    case LEN:
        *value = frame->length;
        return true;
    default: /* MSH */
        if (!frame_load(frame, instruction->k, SIZE_B, value))
            return false;
        *value = (*value & 15) * 4;
        return true;
    }
}

/* False: a division by 0. */
static bool arithmetic(struct machine *machine, const struct sock_filter *instruction) {
    uint32_t operand = instruction->code & SOURCE_X ? machine->x : instruction->k, *a = &machine->a;
    switch (instruction->code & OPERATION_MASK) {
    case ADD:
        *a += operand;
        break;
    case SUB:
        *a -= operand;
        break;
    case MUL:
        *a *= operand;
        break;
    case DIV:
    case MOD:
        if (operand == 0)
            return false;
        *a = (instruction->code & OPERATION_MASK) == DIV ? *a / operand : *a % operand;
        break;
    case OR:
        *a |= operand;
        break;
    case AND:
        *a &= operand;
        break;
    case LSH:
        *a <<= operand & 31;
        break;
    case RSH:
        *a >>= operand & 31;
        break;
    case NEG:
        *a = -*a;
        break;
    default:
        *a ^= operand;
        break;
    }
    return true;
}

static uint32_t jump(const struct machine *machine, const struct sock_filter *instruction) {
    uint32_t operand = instruction->code & SOURCE_X ? machine->x : instruction->k;
    bool holds;
    switch (instruction->code & OPERATION_MASK) {
    case JA:
        return instruction->k;
    case JEQ:
        holds = machine->a == operand;
        break;
    case JGT:
        holds = machine->a > operand;
        break;
    case JGE:
        holds = machine->a >= operand;
        break;
    default:
        holds = machine->a & operand;
        break;
    }
    return holds ? instruction->jt : instruction->jf;
}

uint32_t filter_run(const struct filter *filter, const struct filter_frame *frame) {
    struct machine machine = {0};
    for (uint32_t at = 0; at < filter->length; at++) {
        const struct sock_filter *instruction = &filter->instructions[at];
        bool good = true;
        switch (instruction->code & CLASS_MASK) {
        case LD:
            good = load(&machine, frame, instruction, &machine.a);
            break;
        case LDX:
            good = load(&machine, frame, instruction, &machine.x);
            break;
        case ST:
            machine.memory[instruction->k] = machine.a;
            break;
        case STX:
            machine.memory[instruction->k] = machine.x;
            break;
        case ALU:
            good = arithmetic(&machine, instruction);
            break;
        case JMP:
            at += jump(&machine, instruction);
            break;
        case RET:
            return instruction->code & RETURN_A ? machine.a : instruction->k;
        default:
            if (instruction->code & TXA)
                machine.a = machine.x;
            else
                machine.x = machine.a;
            break;
        }
        if (!good)
            return 0;
    }
    return 0;
}
