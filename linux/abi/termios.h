/* Terminals as Linux x86_64 programs see them: termios structures and flags, ioctl numbers. */
#pragma once

#include <stdint.h>

enum { TERMIOS_CC = 19, TERMIO_CC = 8 };

struct termios64 { /* what TCGETS and TCSETS carry; TCGETS2 adds the speeds */
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIOS_CC];
};
_Static_assert(sizeof(struct termios64) == 36, "struct termios");

struct termios2 {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIOS_CC];
    uint32_t ispeed, ospeed;
};
_Static_assert(sizeof(struct termios2) == 44, "struct termios2");

struct termio { /* System V's, for TCGETA */
    uint16_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIO_CC];
    uint8_t padding;
};
_Static_assert(sizeof(struct termio) == 18, "struct termio");

struct winsize {
    uint16_t rows, columns, xpixel, ypixel;
};

/* cc */
enum {
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSWTC = 7,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VDISCARD = 13,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
};

/* iflag */
enum {
    IGNBRK = 0000001,
    BRKINT = 0000002,
    IGNPAR = 0000004,
    PARMRK = 0000010,
    INPCK = 0000020,
    ISTRIP = 0000040,
    INLCR = 0000100,
    IGNCR = 0000200,
    ICRNL = 0000400,
    IUCLC = 0001000,
    IXON = 0002000,
    IXANY = 0004000,
    IXOFF = 0010000,
    IMAXBEL = 0020000,
    IUTF8 = 0040000,
};

/* oflag */
enum {
    OPOST = 0000001,
    OLCUC = 0000002,
    ONLCR = 0000004,
    OCRNL = 0000010,
    ONOCR = 0000020,
    ONLRET = 0000040,
    OFILL = 0000100,
    OFDEL = 0000200,
    TABDLY = 0014000,
    XTABS = 0014000,
};

/* cflag */
enum {
    CBAUD = 0010017,
    CBAUDEX = 0010000,
    B0 = 0,
    B9600 = 015,
    B38400 = 017,
    B115200 = 0010002,
    BOTHER = 0010000,
    CSIZE = 0000060,
    CS8 = 0000060,
    CSTOPB = 0000100,
    CREAD = 0000200,
    PARENB = 0000400,
    PARODD = 0001000,
    HUPCL = 0002000,
    CLOCAL = 0004000,
};

/* lflag */
enum {
    ISIG = 0000001,
    ICANON = 0000002,
    XCASE = 0000004,
    ECHO = 0000010,
    ECHOE = 0000020,
    ECHOK = 0000040,
    ECHONL = 0000100,
    NOFLSH = 0000200,
    TOSTOP = 0000400,
    ECHOCTL = 0001000,
    ECHOPRT = 0002000,
    ECHOKE = 0004000,
    FLUSHO = 0010000,
    PENDIN = 0040000,
    IEXTEN = 0100000,
    EXTPROC = 0200000,
};

#define TCGETS       0x5401U
#define TCSETS       0x5402U
#define TCSETSW      0x5403U
#define TCSETSF      0x5404U
#define TCGETA       0x5405U
#define TCSETA       0x5406U
#define TCSETAW      0x5407U
#define TCSETAF      0x5408U
#define TCSBRK       0x5409U
#define TCXONC       0x540AU
#define TCFLSH       0x540BU
#define TIOCEXCL     0x540CU
#define TIOCNXCL     0x540DU
#define TIOCSCTTY    0x540EU
#define TIOCGPGRP    0x540FU
#define TIOCSPGRP    0x5410U
#define TIOCOUTQ     0x5411U
#define TIOCSTI      0x5412U
#define TIOCGWINSZ   0x5413U
#define TIOCSWINSZ   0x5414U
#define TIOCMGET     0x5415U
#define TIOCMBIS     0x5416U
#define TIOCMBIC     0x5417U
#define TIOCMSET     0x5418U
#define TIOCGSOFTCAR 0x5419U
#define TIOCSSOFTCAR 0x541AU
#define FIONREAD     0x541BU
#define TIOCINQ      FIONREAD
#define TIOCCONS     0x541DU
#define TIOCPKT      0x5420U
#define FIONBIO      0x5421U
#define TIOCNOTTY    0x5422U
#define TIOCSETD     0x5423U
#define TIOCGETD     0x5424U
#define TCSBRKP      0x5425U
#define TIOCSBRK     0x5427U
#define TIOCCBRK     0x5428U
#define TIOCGSID     0x5429U
#define TCGETS2      0x802C542AU
#define TCSETS2      0x402C542BU
#define TCSETSW2     0x402C542CU
#define TCSETSF2     0x402C542DU
#define TIOCGPTN     0x80045430U
#define TIOCSPTLCK   0x40045431U
#define TIOCGDEV     0x80045432U
#define TIOCSIG      0x40045436U
#define TIOCVHANGUP  0x5437U
#define TIOCGPKT     0x80045438U
#define TIOCGPTLCK   0x80045439U
#define TIOCGEXCL    0x80045440U
#define TIOCGPTPEER  0x5441U
#define FIONCLEX     0x5450U
#define FIOCLEX      0x5451U
#define FIOASYNC     0x5452U

/* TCFLSH, TCXONC */
enum { TCIFLUSH = 0, TCOFLUSH = 1, TCIOFLUSH = 2 };
enum { TCOOFF = 0, TCOON = 1, TCIOFF = 2, TCION = 3 };

/* What a master in packet mode reads first. */
enum {
    TIOCPKT_DATA = 0,
    TIOCPKT_FLUSHREAD = 1,
    TIOCPKT_FLUSHWRITE = 2,
    TIOCPKT_STOP = 4,
    TIOCPKT_START = 8,
    TIOCPKT_NOSTOP = 16,
    TIOCPKT_DOSTOP = 32,
};

enum { TIOCM_DTR = 0x002, TIOCM_RTS = 0x004, TIOCM_CTS = 0x020, TIOCM_CAR = 0x040, TIOCM_DSR = 0x100 };
enum { N_TTY = 0 };
