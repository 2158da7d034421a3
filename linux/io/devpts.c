/*
 * devpts: the directory /dev/pts, whose entries are the slaves of the pseudo-terminals with open masters, and
 * ptmx. There is one instance, however often it is mounted. An entry's inode belongs to its terminal; the
 * directory's lock guards tty->inode.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/dirent.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/mount.h"
#include "linux/fs/options.h"
#include "linux/io/tty_internal.h"
#include "linux/platform.h"

enum { ROOT_INO = 1, PTMX_INO = 2, FIRST_INO = 3 };

static struct mutex instance_lock = MUTEX_INIT(instance_lock);
static struct filesystem *instance;
static struct inode *ptmx;
static uint32_t slave_mode = 0600, slave_gid;
static bool slave_gid_set;

static int devpts_setattr(struct inode *inode, const struct attributes *attributes, unsigned which) {
    if (!(which & ATTR_SIZE))
        inode_change(inode, attributes, which);
    return 0;
}

static const struct inode_operations entry_operations = {.setattr = devpts_setattr};

/* The number that a name stands for; -1 for other names. */
static int32_t name_number(const char *name, size_t length) {
    int32_t number = 0;
    if (length == 0 || length > 3 || (length > 1 && name[0] == '0'))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        number = number * 10 + (name[i] - '0');
    }
    return number;
}

static struct inode *slave_inode(struct tty *slave) {
    if (slave->inode)
        return slave->inode;
    struct inode *inode = inode_create(instance, S_IFCHR | slave_mode, &entry_operations, NULL);
    if (!inode)
        return NULL;
    inode->attributes.ino = FIRST_INO + slave->index;
    inode->attributes.rdev = device_number(PTY_MAJOR, slave->index);
    inode->attributes.uid = slave->uid;
    inode->attributes.gid = slave_gid_set ? slave_gid : slave->gid;
    inode->attributes.block_size = 1024;
    slave->inode = inode;
    return inode;
}

static int devpts_lookup(struct inode *directory, const char *name, size_t length, struct inode **found) {
    (void)directory;
    if (length == 4 && memcmp(name, "ptmx", 4) == 0) {
        *found = inode_get(ptmx);
        return 0;
    }
    int32_t number = name_number(name, length);
    struct tty *slave = number < 0 ? NULL : pty_find((uint32_t)number);
    if (!slave)
        return -ENOENT;
    struct inode *inode = slave_inode(slave);
    *found = inode ? inode_get(inode) : NULL;
    tty_put(slave);
    return inode ? 0 : -ENOMEM;
}

static const struct inode_operations directory_operations = {.lookup = devpts_lookup,
                                                             .setattr = devpts_setattr};

/* Positions: 0 ".", 1 "..", 2 "ptmx", then the numbers. */
static int devpts_readdir(struct file *file, uint64_t *offset, directory_emit emit, void *context) {
    enum { POSITION_PTMX = 2, POSITION_SLAVES = 3 };
    static const char *const fixed[] = {".", "..", "ptmx"};
    (void)file;
    for (; *offset <= POSITION_PTMX; ++*offset) {
        bool special = *offset == POSITION_PTMX;
        if (!emit(context, fixed[*offset], strlen(fixed[*offset]), special ? PTMX_INO : ROOT_INO,
                  special ? DT_CHR : DT_DIR, *offset + 1))
            return 0;
    }
    int32_t number;
    while (*offset - POSITION_SLAVES < PTY_MAX &&
           (number = pty_next((uint32_t)(*offset - POSITION_SLAVES))) >= 0) {
        char name[8];
        size_t length = format_text(name, sizeof name, "%d", number);
        uint64_t next = POSITION_SLAVES + (uint64_t)number + 1;
        if (!emit(context, name, length, FIRST_INO + (uint64_t)number, DT_CHR, next))
            return 0;
        *offset = next;
    }
    return 0;
}

static int64_t devpts_seek(struct file *file, int64_t offset, int whence) {
    int64_t position = whence == SEEK_CUR ? (int64_t)file->offset + offset : offset;
    if ((whence != SEEK_SET && whence != SEEK_CUR) || position < 0)
        return -EINVAL;
    file->offset = (uint64_t)position;
    return position;
}

static const struct file_operations directory_file_operations = {.readdir = devpts_readdir,
                                                                 .seek = devpts_seek};

static int instance_make(void) {
    instance = filesystem_create(&devpts_type, NULL);
    if (!instance)
        return -ENOMEM;
    instance->root =
        inode_create(instance, S_IFDIR | 0755, &directory_operations, &directory_file_operations);
    ptmx = inode_create(instance, S_IFCHR, &entry_operations, NULL);
    if (!instance->root || !ptmx)
        fatal("no memory for devpts");
    instance->root->attributes.ino = ROOT_INO;
    instance->root->attributes.nlink = 2;
    ptmx->attributes.ino = PTMX_INO;
    ptmx->attributes.rdev = device_number(5, 2);
    return 0;
}

static int devpts_make(const char *options, struct filesystem **made) {
    uint64_t mode = slave_mode, ptmx_mode = 0, gid = 0;
    mutex_lock(&instance_lock);
    int error = instance ? 0 : instance_make();
    if (error == 0) {
        option_number(options, "mode", 8, &mode);
        slave_mode = (uint32_t)mode & S_IALLUGO;
        if (option_number(options, "gid", 10, &gid)) {
            slave_gid_set = true;
            slave_gid = (uint32_t)gid;
        }
        if (option_number(options, "ptmxmode", 8, &ptmx_mode))
            ptmx->attributes.mode = S_IFCHR | ((uint32_t)ptmx_mode & S_IALLUGO);
        atomic_fetch_add(&instance->references, 1); /* one stays behind: the instance is never released */
        *made = instance;
    }
    mutex_unlock(&instance_lock);
    return error;
}

static void devpts_statfs(struct filesystem *filesystem, struct linux_statfs *status) {
    (void)filesystem;
    status->type = DEVPTS_SUPER_MAGIC;
    status->block_size = status->fragment_size = PAGE_SIZE;
    status->name_length = NAME_MAX;
}

static void devpts_options(struct filesystem *filesystem, char *to, size_t size) {
    (void)filesystem;
    size_t length = slave_gid_set ? format_text(to, size, ",gid=%u", slave_gid) : 0;
    if (length < size)
        format_text(to + length, size - length, ",mode=%o,ptmxmode=%03o", slave_mode,
                    ptmx->attributes.mode & S_IALLUGO);
}

const struct filesystem_type devpts_type = {
    .name = "devpts",
    .no_cache = true,
    .no_device = true,
    .make = devpts_make,
    .statfs = devpts_statfs,
    .options = devpts_options,
};

int tty_mount(void) {
    return mount_type("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC | MS_RELATIME,
                      "gid=5,mode=620,ptmxmode=000");
}
