/* Linux x86-64: ioctl of block devices, and their major numbers. */
#pragma once

enum {
    BLKROGET = 0x125e,
    BLKRRPART = 0x125f,
    BLKGETSIZE = 0x1260,
    BLKFLSBUF = 0x1261,
    BLKRAGET = 0x1263,
    BLKFRAGET = 0x1265,
    BLKSSZGET = 0x1268,
    BLKDISCARD = 0x1277,
    BLKIOMIN = 0x1278,
    BLKIOOPT = 0x1279,
    BLKALIGNOFF = 0x127a,
    BLKPBSZGET = 0x127b,
    BLKDISCARDZEROES = 0x127c,
    BLKROTATIONAL = 0x127e,
};
#define BLKBSZGET    0x80081270u
#define BLKGETSIZE64 0x80081272u

enum {
    MAJOR_SD = 8,
    MAJOR_VIRTBLK = 254, /* dynamic there: the first free one from above, on Debian */
    MAJOR_BLKEXT = 259,
    MINORS_PER_DISK = 16,
};
