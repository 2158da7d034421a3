/* The edu device's DMA: bytes go through it and back; then it is told to read memory that is not its
 * driver's. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

int main(void) {
    char bytes[512], back[512];
    int edu = open("/dev/edu0", O_RDWR);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = back[i] = (char)(i * 7);
    for (int turn = 0; turn < 2; turn++) {
        if (ioctl(edu, _IOWR('e', 1, char[512]), back) != sizeof back || memcmp(bytes, back, sizeof back))
            return 1;
        if (ioctl(edu, _IOWR('e', 6, int), back) != sizeof(int))
            return 2;
    }
    printf("ok\n");
    return 0;
}
